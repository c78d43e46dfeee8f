// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// Winsock for programs that come from Windows: include this one where they include <winsock2.h>, <ws2tcpip.h> and
/// <windows.h>, link `sharedsock::winsock`, and change nothing else.
///
///     #include <sharedsock/winsock.hpp>
///
/// The types and constants are in <sharedsock/winsock/types.hpp> and constants.hpp, the calls in calls.hpp, each with the
/// library's call that it stands for. bridge.hpp and window.hpp have the names that Winsock lacks (which segment, the
/// `shared_socket` behind a SOCKET, windows).
///
/// @par How Winsock's names become global
/// Everything lives in `sharedsock::winsock`; a using-directive opens it to the file.
///  * `send`, `bind`, `accept` … are in the C library too. SOCKET is a type of its own, so these are overloads: one takes
///    SOCKETs, the other descriptors, and the compiler tells them apart, `::send(s, …)` included.
///  * `socket` differs from the C library's in nothing but its result. So the C library's is not declared in a file that includes
///    this header: <sys/socket.h> is included from here first, with that one name put aside. Hence *this header comes first*, as
///    <winsock2.h> comes before <windows.h>; otherwise an #error says so.
///  * `fd_set`, FD_SETSIZE, FD_ZERO, FD_SET, FD_CLR and FD_ISSET are macros, as on Windows.
/// @par Limits
/// A file that needs the system's own `socket` or `fd_set`, or headers whose code does (Boost.Asio's), includes calls.hpp in
/// the place of this one and says `namespace ws = sharedsock::winsock`. `SOCKET s = 0` is a compiler error: say INVALID_SOCKET, or
/// `SOCKET{}`. Members of `in_addr` are Linux's (`s_addr`, not `S_un`). Not supported: overlapped I/O, completion ports,
/// WSAIoctl, WSALookupService (getaddrinfo and its like are the system's). Numbers: see constants.hpp.

#if defined(_SYS_SOCKET_H) && !defined(SHAREDSOCK_WINSOCK_HPP_CAME_FIRST)
#error "include <sharedsock/winsock.hpp> before whatever includes <sys/socket.h>; or use <sharedsock/winsock/calls.hpp>"
#endif
#define SHAREDSOCK_WINSOCK_HPP_CAME_FIRST

#define socket sharedsock_winsock_hides_this
#include <sys/socket.h>
#undef socket

#include <sharedsock/winsock/calls.hpp>
#include <sharedsock/winsock/constants.hpp>
#include <sharedsock/winsock/types.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h> // gethostname

using namespace sharedsock::winsock; // NOLINT: the purpose of this header

// A qualified name, `::send`, does not look through the directive when the C library has declared something of that name.
using sharedsock::winsock::accept;
using sharedsock::winsock::bind;
using sharedsock::winsock::connect;
using sharedsock::winsock::getpeername;
using sharedsock::winsock::getsockname;
using sharedsock::winsock::getsockopt;
using sharedsock::winsock::listen;
using sharedsock::winsock::recv;
using sharedsock::winsock::recvfrom;
using sharedsock::winsock::select;
using sharedsock::winsock::send;
using sharedsock::winsock::sendto;
using sharedsock::winsock::setsockopt;
using sharedsock::winsock::shutdown;
using sharedsock::winsock::socket;

#undef FD_SETSIZE
#undef FD_ZERO
#undef FD_SET
#undef FD_CLR
#undef FD_ISSET
#define fd_set socket_set
#define FD_SETSIZE (::sharedsock::winsock::socket_set::capacity)
#define FD_ZERO(set) (::sharedsock::winsock::set_clear(*(set)))
#define FD_SET(s, set) (::sharedsock::winsock::set_insert((s), *(set)))
#define FD_CLR(s, set) (::sharedsock::winsock::set_erase((s), *(set)))
#define FD_ISSET(s, set) (::sharedsock::winsock::set_contains((s), *(set)))

// Words of Windows that stand in prototypes and mean nothing here.
#ifndef WINAPI
#define WINAPI
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
