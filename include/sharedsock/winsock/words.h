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

#define MSG_PARTIAL 0 /* there are no messages in parts */

/* getaddrinfo's codes are Winsock's (WSK-13). */
#undef EAI_AGAIN
#undef EAI_BADFLAGS
#undef EAI_FAIL
#undef EAI_FAMILY
#undef EAI_MEMORY
#undef EAI_NODATA
#undef EAI_NONAME
#undef EAI_SERVICE
#undef EAI_SOCKTYPE
#define EAI_AGAIN WSATRY_AGAIN
#define EAI_BADFLAGS WSAEINVAL
#define EAI_FAIL WSANO_RECOVERY
#define EAI_FAMILY WSAEAFNOSUPPORT
#define EAI_MEMORY WSA_NOT_ENOUGH_MEMORY
#define EAI_NODATA WSANO_DATA
#define EAI_NONAME WSAHOST_NOT_FOUND
#define EAI_SERVICE WSATYPE_NOT_FOUND
#define EAI_SOCKTYPE WSAESOCKTNOSUPPORT

/* What is not here says so when it is used. */
#ifdef __cplusplus
extern "C" {
#endif
void* CreateIoCompletionPort(void* file, void* port, uintptr_t key, uint32_t threads)
    __attribute__((unavailable("sharedsock has no completion ports: use WSAEventSelect, select or WSAPoll")));
BOOL TransmitFile(SOCKET s, void* file, DWORD bytes, DWORD bytes_at_once, LPWSAOVERLAPPED overlapped, void* buffers, DWORD flags)
    __attribute__((unavailable("sharedsock has no TransmitFile: read the file and send what was read")));
#ifdef __cplusplus
}
#endif

#endif
