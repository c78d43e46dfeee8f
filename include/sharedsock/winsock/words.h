/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */
#ifndef SHAREDSOCK_WINSOCK_WORDS_H
#define SHAREDSOCK_WINSOCK_WORDS_H

/* Words of Windows that stand in prototypes and mean nothing here, and others that are macros there too. In C and C++. */

#ifndef WINAPI
#define WINAPI
#endif
#ifndef WSAAPI
#define WSAAPI
#endif
#ifndef CALLBACK
#define CALLBACK
#endif
#ifndef PASCAL
#define PASCAL
#endif
#ifndef FAR
#define FAR
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

#define ADDR_ANY INADDR_ANY
#define SS_PORT(address) (((struct sockaddr_in*)(address))->sin_port)
#define InetPton inet_pton
#define InetPtonA inet_pton
#define InetNtop inet_ntop
#define InetNtopA inet_ntop

#endif
