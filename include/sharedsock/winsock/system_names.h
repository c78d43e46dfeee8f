/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */
#ifndef SHAREDSOCK_WINSOCK_SYSTEM_NAMES_H
#define SHAREDSOCK_WINSOCK_SYSTEM_NAMES_H

/* The system's headers of sockets, for a file that includes <sharedsock/winsock.h> or <sharedsock/winsock.hpp>, in C and C++. The
   names of the calls that Winsock has too are put aside, so that no call with an integer reaches the C library. */

#ifdef _SYS_SOCKET_H
#error "include <sharedsock/winsock.h> before whatever includes <sys/socket.h>; in C++ there is <sharedsock/winsock/calls.hpp> too"
#endif

/* In strict C the C library hides what Winsock's programs use, unless it is told before its first header. */
#if !defined(_FEATURES_H) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif

#pragma push_macro("FD_SETSIZE") /* the program's, which <sys/select.h> would replace */
#undef FD_SETSIZE

#define accept sharedsock_hides_accept
#define bind sharedsock_hides_bind
#define connect sharedsock_hides_connect
#define getpeername sharedsock_hides_getpeername
#define getsockname sharedsock_hides_getsockname
#define getsockopt sharedsock_hides_getsockopt
#define listen sharedsock_hides_listen
#define recv sharedsock_hides_recv
#define recvfrom sharedsock_hides_recvfrom
#define send sharedsock_hides_send
#define sendto sharedsock_hides_sendto
#define setsockopt sharedsock_hides_setsockopt
#define shutdown sharedsock_hides_shutdown
#define socket sharedsock_hides_socket
#include <sys/socket.h>
#undef accept
#undef bind
#undef connect
#undef getpeername
#undef getsockname
#undef getsockopt
#undef listen
#undef recv
#undef recvfrom
#undef send
#undef sendto
#undef setsockopt
#undef shutdown
#undef socket

/* The member `in_addr_t s_addr;` of `struct in_addr` becomes a union, for `sin_addr.S_un.S_addr`. The size and the name stay. */
#define s_addr                                                                                                                     \
    : 0;                                                                                                                           \
    union {                                                                                                                        \
        in_addr_t s_addr;                                                                                                          \
        union {                                                                                                                    \
            struct {                                                                                                               \
                unsigned char s_b1, s_b2, s_b3, s_b4;                                                                              \
            } S_un_b;                                                                                                              \
            struct {                                                                                                               \
                unsigned short s_w1, s_w2;                                                                                         \
            } S_un_w;                                                                                                              \
            in_addr_t S_addr;                                                                                                      \
        } S_un;                                                                                                                    \
    }
#include <netinet/in.h>
#undef s_addr

#define gai_strerror sharedsock_hides_gai_strerror
#define getaddrinfo sharedsock_hides_getaddrinfo
#define gethostbyaddr sharedsock_hides_gethostbyaddr
#define gethostbyname sharedsock_hides_gethostbyname
#define getnameinfo sharedsock_hides_getnameinfo
#include <netdb.h>
#undef gai_strerror
#undef getaddrinfo
#undef gethostbyaddr
#undef gethostbyname
#undef getnameinfo

#pragma pop_macro("FD_SETSIZE")

#ifndef __USE_MISC /* it was not told in time */
typedef unsigned char u_char;
typedef unsigned short u_short;
typedef unsigned int u_int;
typedef unsigned long u_long;
#ifndef h_addr
#define h_addr h_addr_list[0]
#endif
#endif

#endif
