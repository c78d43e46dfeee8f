// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The calls under the names that <sharedsock/winsock.h> gives them in C.
#include "winsock/failure.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <cstddef>

#include <netdb.h>
#include <sys/socket.h>

namespace {

namespace c_face { // the same types, as C sees them
#include <sharedsock/winsock/c_types.h>
} // namespace c_face

namespace ws = sharedsock::winsock;

template <class InC, class InCpp> // NOLINTNEXTLINE(misc-redundant-expression): where C and C++ have one type
constexpr bool alike = sizeof(InC) == sizeof(InCpp) && alignof(InC) == alignof(InCpp);

static_assert(alike<c_face::SOCKET, ws::SOCKET> && alike<c_face::DWORD, ws::DWORD> && alike<c_face::LPARAM, ws::LPARAM>);
static_assert(alike<c_face::WSADATA, ws::WSADATA> &&
              offsetof(c_face::WSADATA, szSystemStatus) == offsetof(ws::WSADATA, szSystemStatus));
static_assert(alike<c_face::WSABUF, ws::WSABUF> && offsetof(c_face::WSABUF, buf) == offsetof(ws::WSABUF, buf));
static_assert(alike<c_face::WSAPOLLFD, ws::WSAPOLLFD> && offsetof(c_face::WSAPOLLFD, revents) == offsetof(ws::WSAPOLLFD, revents));
static_assert(alike<c_face::WSANETWORKEVENTS, ws::WSANETWORKEVENTS> &&
              offsetof(c_face::WSANETWORKEVENTS, iErrorCode) == offsetof(ws::WSANETWORKEVENTS, iErrorCode));
static_assert(alike<c_face::WSAPROTOCOL_INFO, ws::WSAPROTOCOL_INFO> &&
              offsetof(c_face::WSAPROTOCOL_INFO, reserved_ticket) == offsetof(ws::WSAPROTOCOL_INFO, reserved_ticket));
static_assert(alike<c_face::tcp_keepalive, ws::tcp_keepalive> && alike<c_face::SOCKADDR_INET, ws::SOCKADDR_INET>);

// An `fd_set` of C: the size of its array is the program's.
struct set_of_c {
    ws::UINT count;
    ws::SOCKET members[1];
};

ws::socket_set_ref ref(void* set) noexcept
{
    auto* const one = static_cast<set_of_c*>(set);
    return one != nullptr ? ws::socket_set_ref(&one->count, one->members) : ws::socket_set_ref(nullptr);
}

} // namespace

// NAME(call): its definition for C. It has the type of the C++ one, and passes everything on.
#define SHAREDSOCK_FOR_C(result, call, parameters, arguments)                                                                      \
    extern "C" result sharedsock_winsock_##call parameters { return ws::call arguments; }

using ws::BOOL;
using ws::DWORD;
using ws::DWORD_PTR;
using ws::GROUP;
using ws::HWND;
using ws::INT;
using ws::LPCONDITIONPROC;
using ws::LPCSTR;
using ws::LPDWORD;
using ws::LPSTR;
using ws::LPWSABUF;
using ws::LPWSADATA;
using ws::LPWSANETWORKEVENTS;
using ws::LPWSAOVERLAPPED;
using ws::LPWSAPROTOCOL_INFO;
using ws::SOCKET;
using ws::ULONG;
using ws::USHORT;
using ws::WORD;
using ws::WSAEVENT;
using ws::WSAPOLLFD;
using routine = ws::LPWSAOVERLAPPED_COMPLETION_ROUTINE;

SHAREDSOCK_FOR_C(int, WSAStartup, (WORD version, LPWSADATA data), (version, data))
SHAREDSOCK_FOR_C(int, WSACleanup, (), ())
SHAREDSOCK_FOR_C(int, WSAGetLastError, (), ())
SHAREDSOCK_FOR_C(void, WSASetLastError, (int error), (error))
SHAREDSOCK_FOR_C(SOCKET, socket, (int family, int type, int protocol), (family, type, protocol))
SHAREDSOCK_FOR_C(int, closesocket, (SOCKET s), (s))
SHAREDSOCK_FOR_C(int, bind, (SOCKET s, const sockaddr* name, int size), (s, name, size))
SHAREDSOCK_FOR_C(int, listen, (SOCKET s, int backlog), (s, backlog))
SHAREDSOCK_FOR_C(SOCKET, accept, (SOCKET s, sockaddr* peer, int* size), (s, peer, size))
SHAREDSOCK_FOR_C(int, connect, (SOCKET s, const sockaddr* name, int size), (s, name, size))
SHAREDSOCK_FOR_C(int, shutdown, (SOCKET s, int how), (s, how))
SHAREDSOCK_FOR_C(int, getsockname, (SOCKET s, sockaddr* name, int* size), (s, name, size))
SHAREDSOCK_FOR_C(int, getpeername, (SOCKET s, sockaddr* name, int* size), (s, name, size))
SHAREDSOCK_FOR_C(SOCKET, WSAAccept, (SOCKET s, sockaddr* peer, int* size, LPCONDITIONPROC condition, DWORD_PTR data),
                 (s, peer, size, condition, data))
SHAREDSOCK_FOR_C(int, WSAConnect, (SOCKET s, const sockaddr* name, int size, LPWSABUF in, LPWSABUF out, void* sqos, void* gqos),
                 (s, name, size, in, out, sqos, gqos))
SHAREDSOCK_FOR_C(int, send, (SOCKET s, const char* buffer, int size, int flags), (s, buffer, size, flags))
SHAREDSOCK_FOR_C(int, recv, (SOCKET s, char* buffer, int size, int flags), (s, buffer, size, flags))
SHAREDSOCK_FOR_C(int, sendto, (SOCKET s, const char* buffer, int size, int flags, const sockaddr* to, int to_size),
                 (s, buffer, size, flags, to, to_size))
SHAREDSOCK_FOR_C(int, recvfrom, (SOCKET s, char* buffer, int size, int flags, sockaddr* from, int* from_size),
                 (s, buffer, size, flags, from, from_size))
SHAREDSOCK_FOR_C(int, WSASend,
                 (SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED overlapped, routine done),
                 (s, buffers, count, sent, flags, overlapped, done))
SHAREDSOCK_FOR_C(int, WSARecv,
                 (SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags, LPWSAOVERLAPPED overlapped, routine done),
                 (s, buffers, count, got, flags, overlapped, done))
SHAREDSOCK_FOR_C(int, WSASendTo,
                 (SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, const sockaddr* to, int to_size,
                  LPWSAOVERLAPPED overlapped, routine done),
                 (s, buffers, count, sent, flags, to, to_size, overlapped, done))
SHAREDSOCK_FOR_C(int, WSARecvFrom,
                 (SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags, sockaddr* from, int* from_size,
                  LPWSAOVERLAPPED overlapped, routine done),
                 (s, buffers, count, got, flags, from, from_size, overlapped, done))
SHAREDSOCK_FOR_C(int, ioctlsocket, (SOCKET s, long command, u_long* value), (s, command, value))
SHAREDSOCK_FOR_C(int, WSAIoctl,
                 (SOCKET s, DWORD code, void* in, DWORD in_size, void* out, DWORD out_size, LPDWORD returned,
                  LPWSAOVERLAPPED overlapped, routine done),
                 (s, code, in, in_size, out, out_size, returned, overlapped, done))
SHAREDSOCK_FOR_C(int, setsockopt, (SOCKET s, int level, int name, const char* value, int size), (s, level, name, value, size))
SHAREDSOCK_FOR_C(int, getsockopt, (SOCKET s, int level, int name, char* value, int* size), (s, level, name, value, size))
SHAREDSOCK_FOR_C(int, WSAPoll, (WSAPOLLFD * entries, ULONG count, INT timeout), (entries, count, timeout))
SHAREDSOCK_FOR_C(int, WSAAddressToStringA,
                 (const sockaddr* address, DWORD size, LPWSAPROTOCOL_INFO info, LPSTR text, LPDWORD text_size),
                 (address, size, info, text, text_size))
SHAREDSOCK_FOR_C(int, WSAStringToAddressA, (LPCSTR text, INT family, LPWSAPROTOCOL_INFO info, sockaddr* address, int* size),
                 (text, family, info, address, size))
SHAREDSOCK_FOR_C(int, getaddrinfo, (LPCSTR node, LPCSTR service, const addrinfo* hints, addrinfo** found),
                 (node, service, hints, found))
SHAREDSOCK_FOR_C(int, getnameinfo,
                 (const sockaddr* address, socklen_t size, char* node, DWORD node_size, char* service, DWORD service_size,
                  INT flags),
                 (address, size, node, node_size, service, service_size, flags))
SHAREDSOCK_FOR_C(hostent*, gethostbyname, (LPCSTR name), (name))
SHAREDSOCK_FOR_C(hostent*, gethostbyaddr, (LPCSTR address, int size, int family), (address, size, family))
SHAREDSOCK_FOR_C(LPCSTR, gai_strerror, (int code), (code))
SHAREDSOCK_FOR_C(BOOL, WSAConnectByNameA,
                 (SOCKET s, LPCSTR node, LPCSTR service, LPDWORD own_size, sockaddr* own, LPDWORD peer_size, sockaddr* peer,
                  const timeval* limit, LPWSAOVERLAPPED reserved),
                 (s, node, service, own_size, own, peer_size, peer, limit, reserved))
SHAREDSOCK_FOR_C(int, WSAEnumProtocolsA, (int* protocols, LPWSAPROTOCOL_INFO buffer, LPDWORD size), (protocols, buffer, size))
SHAREDSOCK_FOR_C(BOOL, INETADDR_ISANY, (const sockaddr* a), (a))
SHAREDSOCK_FOR_C(BOOL, INETADDR_ISLOOPBACK, (const sockaddr* a), (a))
SHAREDSOCK_FOR_C(void, INETADDR_SETANY, (sockaddr * a), (a))
SHAREDSOCK_FOR_C(void, INETADDR_SETLOOPBACK, (sockaddr * a), (a))
SHAREDSOCK_FOR_C(USHORT, INETADDR_PORT, (const sockaddr* a), (a))
SHAREDSOCK_FOR_C(WSAEVENT, WSACreateEvent, (), ())
SHAREDSOCK_FOR_C(BOOL, WSASetEvent, (WSAEVENT event), (event))
SHAREDSOCK_FOR_C(BOOL, WSAResetEvent, (WSAEVENT event), (event))
SHAREDSOCK_FOR_C(BOOL, WSACloseEvent, (WSAEVENT event), (event))
SHAREDSOCK_FOR_C(DWORD, WSAWaitForMultipleEvents, (DWORD count, const WSAEVENT* events, BOOL all, DWORD limit, BOOL alertable),
                 (count, events, all, limit, alertable))
SHAREDSOCK_FOR_C(int, WSAEventSelect, (SOCKET s, WSAEVENT event, long events), (s, event, events))
SHAREDSOCK_FOR_C(int, WSAEnumNetworkEvents, (SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS happened), (s, event, happened))
SHAREDSOCK_FOR_C(int, WSAAsyncSelect, (SOCKET s, HWND window, unsigned int message, long events), (s, window, message, events))
SHAREDSOCK_FOR_C(int, WSADuplicateSocket, (SOCKET s, DWORD process, LPWSAPROTOCOL_INFO info), (s, process, info))
SHAREDSOCK_FOR_C(SOCKET, WSASocket, (int family, int type, int protocol, LPWSAPROTOCOL_INFO info, GROUP group, DWORD flags),
                 (family, type, protocol, info, group, flags))

extern "C" int sharedsock_winsock_select(int nfds, void* readfds, void* writefds, void* exceptfds, const timeval* timeout)
{
    return ws::select(nfds, ref(readfds), ref(writefds), ref(exceptfds), timeout);
}

extern "C" BOOL sharedsock_winsock_use_segment(const char* name)
{
    return ws::detail::guarded(0, [&] { return ws::use_segment(name) ? 1 : 0; });
}
