/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */
#ifndef SHAREDSOCK_WINSOCK_H
#define SHAREDSOCK_WINSOCK_H

/* Winsock for programs that come from Windows, in C11 and C++20: include this header where they include <winsock2.h>, <ws2tcpip.h>
   and <windows.h>, before other headers of sockets, link `sharedsock::winsock`, and change nothing else.

       #include <sharedsock/winsock.h>

   In C++ this is <sharedsock/winsock.hpp>, whose comments say how the names become global, and what is not supported. In C the
   types, numbers and calls are in <sharedsock/winsock/c_types.h>, c_constants.h and c_calls.h. WSAAsyncSelect needs a window:
   `sharedsock_winsock_open_window`. */

#ifdef __cplusplus
#include <sharedsock/winsock.hpp>
#else

/* The order of these matters. */
/* clang-format off */
#include <sharedsock/winsock/system_names.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h> /* gethostname */
#include <sharedsock/winsock/system_sets.h>
#include <sharedsock/winsock/c_types.h>
#include <sharedsock/winsock/c_constants.h>
#include <sharedsock/winsock/c_calls.h>
#include <sharedsock/winsock/words.h>
/* clang-format on */

#define WSADuplicateSocketA WSADuplicateSocket
#define WSADuplicateSocketW WSADuplicateSocket
#define WSASocketA WSASocket
#define WSASocketW WSASocket
#define WSAAddressToString WSAAddressToStringA
#define WSAConnectByName WSAConnectByNameA
#define WSAEnumProtocols WSAEnumProtocolsA
#define WSAStringToAddress WSAStringToAddressA

typedef struct sharedsock_fd_set {
    UINT fd_count;
    SOCKET fd_array[FD_SETSIZE];
} FD_SET, *PFD_SET, *LPFD_SET;

static inline BOOL sharedsock_fd_is_set(SOCKET s, const struct sharedsock_fd_set* set)
{
    UINT i;
    for (i = 0; i < set->fd_count; ++i)
        if (set->fd_array[i] == s) return 1;
    return 0;
}

static inline void sharedsock_fd_enter(SOCKET s, struct sharedsock_fd_set* set)
{
    if (set->fd_count < FD_SETSIZE && !sharedsock_fd_is_set(s, set)) set->fd_array[set->fd_count++] = s;
}

static inline void sharedsock_fd_clear(SOCKET s, struct sharedsock_fd_set* set)
{
    UINT i, kept = 0;
    for (i = 0; i < set->fd_count; ++i)
        if (set->fd_array[i] != s) set->fd_array[kept++] = set->fd_array[i];
    set->fd_count = kept;
}

/* `fd_set` and `struct fd_set`. */
#define fd_set sharedsock_fd_set
typedef struct sharedsock_fd_set sharedsock_fd_set;
#define FD_ZERO(set) ((void)((set)->fd_count = 0))
#define FD_SET(s, set) (sharedsock_fd_enter((s), (set)))
#define FD_CLR(s, set) (sharedsock_fd_clear((s), (set)))
#define FD_ISSET(s, set) (sharedsock_fd_is_set((s), (set)))
#define select(nfds, readfds, writefds, exceptfds, timeout)                                                                        \
    sharedsock_winsock_select((nfds), (readfds), (writefds), (exceptfds), (timeout))

#endif
#endif
