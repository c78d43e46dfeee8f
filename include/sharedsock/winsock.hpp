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
///  * `socket`, `send`, `bind`, `accept` … are in the C library too, and take descriptors there. A SOCKET is an integer, so a file
///    that includes this header does not see the C library's: <sys/socket.h> is included from here first, with those names put
///    aside. Hence *this header comes first*, as <winsock2.h> comes before <windows.h>; otherwise an #error says so. Other files
///    of the program include what they like.
///  * `fd_set`, FD_SETSIZE, FD_ZERO, FD_SET, FD_CLR, FD_ISSET and `select` with five arguments are macros.
///  * FD_SETSIZE is 1 024, or what the program defines above that before it includes this header (WSK-6).
/// @par Limits
/// A file that needs the system's own socket calls or `fd_set`, or headers whose code does (Boost.Asio's), includes calls.hpp in
/// the place of this one and says `namespace ws = sharedsock::winsock`. Not supported: overlapped I/O, completion ports,
/// WSALookupService. Numbers: see constants.hpp. C: <sharedsock/winsock.h>.

// clang-format off
#include <sharedsock/winsock/system_names.h> // first: it hides names
// clang-format on

#include <sharedsock/winsock/calls.hpp>
#include <sharedsock/winsock/constants.hpp>
#include <sharedsock/winsock/types.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h> // gethostname

using namespace sharedsock::winsock; // NOLINT: the purpose of this header

// A qualified name, `::send`, does not look through the directive when the C library has declared something of that name.
using sharedsock::winsock::accept;
using sharedsock::winsock::bind;
using sharedsock::winsock::connect;
using sharedsock::winsock::gai_strerror;
using sharedsock::winsock::getaddrinfo;
using sharedsock::winsock::gethostbyaddr;
using sharedsock::winsock::gethostbyname;
using sharedsock::winsock::getnameinfo;
using sharedsock::winsock::getpeername;
using sharedsock::winsock::getsockname;
using sharedsock::winsock::getsockopt;
using sharedsock::winsock::listen;
using sharedsock::winsock::recv;
using sharedsock::winsock::recvfrom;
using sharedsock::winsock::send;
using sharedsock::winsock::sendto;
using sharedsock::winsock::setsockopt;
using sharedsock::winsock::shutdown;
using sharedsock::winsock::socket;

// clang-format off
#include <sharedsock/winsock/system_sets.h> // behind all that includes <sys/select.h>
// clang-format on

struct sharedsock_fd_set : sharedsock::winsock::basic_socket_set<FD_SETSIZE> {};
#define fd_set sharedsock_fd_set
#define FD_ZERO(set) (::sharedsock::winsock::set_clear(*(set)))
#define FD_SET(s, set) (::sharedsock::winsock::set_insert((s), *(set)))
#define FD_CLR(s, set) (::sharedsock::winsock::set_erase((s), *(set)))
#define FD_ISSET(s, set) (::sharedsock::winsock::set_contains((s), *(set)))
using FD_SET   = sharedsock_fd_set;
using PFD_SET  = sharedsock_fd_set*;
using LPFD_SET = sharedsock_fd_set*;

// The C library's `select` is declared by many headers, and would take null pointers as well.
inline int sharedsock_winsock_select(int nfds, sharedsock::winsock::socket_set_ref readfds,
                                     sharedsock::winsock::socket_set_ref writefds, sharedsock::winsock::socket_set_ref exceptfds,
                                     const timeval* timeout)
{
    return sharedsock::winsock::select(nfds, readfds, writefds, exceptfds, timeout);
}
#define select(nfds, readfds, writefds, exceptfds, timeout)                                                                        \
    sharedsock_winsock_select((nfds), (readfds), (writefds), (exceptfds), (timeout))

// The additions of <sharedsock/winsock.h> for C, for programs that compile as either: their comments are in c_calls.h.
extern "C" {
HWND sharedsock_winsock_open_window(LRESULT (*procedure)(HWND hWnd, UINT uMsg, WPARAM wParam, LPARAM lParam));
BOOL sharedsock_winsock_close_window(HWND hWnd);
int sharedsock_winsock_dispatch_message(int milliseconds);
BOOL sharedsock_winsock_use_segment(const char* name);
}

#include <sharedsock/winsock/words.h>
