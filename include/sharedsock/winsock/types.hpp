// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>

namespace sharedsock::winsock {

// --- Windows' words, as far as Winsock's prototypes use them. Sizes are those of 64-bit Windows. ----------------------------

using BYTE      = unsigned char;
using UCHAR     = unsigned char;
using USHORT    = std::uint16_t;
using WORD      = std::uint16_t;
using DWORD     = std::uint32_t;
using DWORD_PTR = std::uintptr_t;
using LONG      = std::int32_t;
using BOOL      = int;
using INT       = int;
using UINT      = unsigned int;
using ULONG     = std::uint32_t;
using CHAR      = char;
using UINT_PTR  = std::uintptr_t;
using WPARAM    = UINT_PTR;
using LPARAM    = std::intptr_t;
using LRESULT   = std::intptr_t;
using HANDLE    = void*;
using LPVOID    = void*;
using LPSTR     = char*;
using LPCSTR    = const char*;
using LPINT     = int*;
using LPDWORD   = DWORD*;

/// The stand-in for a window; `open_window` makes it (<sharedsock/winsock/window.hpp>).
struct HWND__;
using HWND = HWND__*;

/// This process's name for one of its handles to a socket: an integer of Windows' width with a value below 2^31, so that an int
/// holds it too. Never the number of a descriptor, and not used again soon for another socket: a stale one fails with WSAENOTSOCK
/// (DUP-11, WSK-1). It means nothing in another process.
using SOCKET = UINT_PTR;

using WSAEVENT   = HANDLE; ///< an event object of this process (REG-20)
using LPHANDLE   = HANDLE*;
using LPWSAEVENT = WSAEVENT*;
using GROUP      = unsigned int;

// --- addresses: the system's own ----------------------------------------------------------------------------------------------

using SOCKADDR           = sockaddr;
using PSOCKADDR          = sockaddr*;
using LPSOCKADDR         = sockaddr*;
using SOCKADDR_IN        = sockaddr_in;
using PSOCKADDR_IN       = sockaddr_in*;
using LPSOCKADDR_IN      = sockaddr_in*;
using SOCKADDR_IN6       = sockaddr_in6;
using PSOCKADDR_IN6      = sockaddr_in6*;
using LPSOCKADDR_IN6     = sockaddr_in6*;
using LPSOCKADDR_STORAGE = sockaddr_storage*;
using ADDRESS_FAMILY     = sa_family_t;
using PIN_ADDR           = in_addr*;
using LPIN_ADDR          = in_addr*;
using PIN6_ADDR          = in6_addr*;
using LPIN6_ADDR         = in6_addr*;
using SERVENT            = servent;
using PSERVENT           = servent*;
using LPSERVENT          = servent*;
using PROTOENT           = protoent;
using PPROTOENT          = protoent*;
using LPPROTOENT         = protoent*;
using ADDRINFO           = addrinfo;
using PADDRINFO          = addrinfo*;
using LPADDRINFO         = addrinfo*;
using LPADDRINFOA        = addrinfo*;
using PLINGER            = linger*;
using LPTIMEVAL          = timeval*;
using SOCKADDR_STORAGE   = sockaddr_storage;
using PSOCKADDR_STORAGE  = sockaddr_storage*;
using IN_ADDR            = in_addr;
using IN6_ADDR           = in6_addr;
using HOSTENT            = hostent;
using PHOSTENT           = hostent*;
using LPHOSTENT          = hostent*;
using ADDRINFOA          = addrinfo;
using PADDRINFOA         = addrinfo*;
using LINGER             = linger;
using LPLINGER           = linger*;
using TIMEVAL            = timeval;
using PTIMEVAL           = timeval*;

/// An address of either internet family.
union SOCKADDR_INET {
    SOCKADDR_IN Ipv4;
    SOCKADDR_IN6 Ipv6;
    ADDRESS_FAMILY si_family;
};
using PSOCKADDR_INET = SOCKADDR_INET*;

// --- structs of Winsock -------------------------------------------------------------------------------------------------------

inline constexpr int WSADESCRIPTION_LEN = 256;
inline constexpr int WSASYS_STATUS_LEN  = 128;

/// The result of `WSAStartup`.
struct WSAData {
    WORD wVersion;              ///< the version that the program gets: the one it asked for, 2.2 at most
    WORD wHighVersion;          ///< 2.2
    unsigned short iMaxSockets; ///< the segment's capacity, 65'535 at most
    unsigned short iMaxUdpDg;   ///< 65'507
    char* lpVendorInfo;         ///< null
    char szDescription[WSADESCRIPTION_LEN + 1];
    char szSystemStatus[WSASYS_STATUS_LEN + 1]; ///< the name of the segment
};
using WSADATA   = WSAData;
using PWSADATA  = WSADATA*;
using LPWSADATA = WSADATA*;

/// One piece of a message; `WSASend` and `WSARecv` take several.
struct WSABUF {
    ULONG len; ///< bytes
    char* buf;
};
using PWSABUF  = WSABUF*;
using LPWSABUF = WSABUF*;

/// One SOCKET of a `WSAPoll`.
struct WSAPOLLFD {
    SOCKET fd;     ///< a negative one (INVALID_SOCKET) is passed over
    short events;  ///< POLL… bits, the system's
    short revents; ///< the answer
};
using PWSAPOLLFD  = WSAPOLLFD*;
using LPWSAPOLLFD = WSAPOLLFD*;

/// The argument of SIO_KEEPALIVE_VALS.
struct tcp_keepalive {
    ULONG onoff;
    ULONG keepalivetime;     ///< milliseconds
    ULONG keepaliveinterval; ///< milliseconds
};

/// `WSAAccept` asks it about a connection: CF_ACCEPT or CF_REJECT. The qualities of service are null.
using LPCONDITIONPROC = int (*)(LPWSABUF lpCallerId, LPWSABUF lpCallerData, void* lpSQOS, void* lpGQOS, LPWSABUF lpCalleeId,
                                LPWSABUF lpCalleeData, unsigned int* g, UINT_PTR dwCallbackData);

inline constexpr int FD_MAX_EVENTS = 10;

/// The result of `WSAEnumNetworkEvents`.
struct WSANETWORKEVENTS {
    long lNetworkEvents;           ///< FD_… bits
    int iErrorCode[FD_MAX_EVENTS]; ///< WSAE… codes by FD_…_BIT; untouched for events that did not occur (ENUM-5)
};
using LPWSANETWORKEVENTS = WSANETWORKEVENTS*;

inline constexpr int WSAPROTOCOL_LEN = 255;

/// The kind of a socket; after `WSADuplicateSocket` also the one permission to redeem a handle to it (DUP-2 to DUP-5).
///
/// Plain bytes of fixed size that any IPC may carry, and the same for all programs of one build. Not Windows' layout.
struct WSAPROTOCOL_INFO {
    DWORD dwServiceFlags1; ///< XP1_… bits
    int iVersion;          ///< 2
    int iAddressFamily;    ///< AF_…
    int iMaxSockAddr;      ///< bytes
    int iMinSockAddr;      ///< bytes
    int iSocketType;       ///< SOCK_…
    int iProtocol;         ///< IPPROTO_…
    int iNetworkByteOrder; ///< BIGENDIAN, of the protocol
    DWORD dwMessageSize;   ///< bytes; 0 for a stream
    char szProtocol[WSAPROTOCOL_LEN + 1];
    BYTE reserved_ticket[64]; ///< the library's: `sharedsock::ticket::to_bytes`. All zero if nothing was duplicated
};
using LPWSAPROTOCOL_INFO  = WSAPROTOCOL_INFO*;
using WSAPROTOCOL_INFOA   = WSAPROTOCOL_INFO;
using WSAPROTOCOL_INFOW   = WSAPROTOCOL_INFO;
using LPWSAPROTOCOL_INFOA = WSAPROTOCOL_INFO*;
using LPWSAPROTOCOL_INFOW = WSAPROTOCOL_INFO*;

/// For the prototypes only: there is no overlapped I/O here, the argument is null.
struct WSAOVERLAPPED;
using LPWSAOVERLAPPED                    = WSAOVERLAPPED*;
using LPWSAOVERLAPPED_COMPLETION_ROUTINE = void (*)(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped, DWORD flags);

/// Winsock's `fd_set`: a list of SOCKETs. <sharedsock/winsock.hpp> gives it that name, with FD_SETSIZE as the capacity.
template <UINT Capacity>
struct basic_socket_set {
    static constexpr UINT capacity = Capacity; ///< FD_SETSIZE; FD_SET enters no SOCKETs beyond it
    UINT fd_count;
    SOCKET fd_array[Capacity];
};
using socket_set = basic_socket_set<64>;

/// A set of any size, for `select`: as on Windows, `fd_count` alone says how many SOCKETs follow it.
class socket_set_ref {
public:
    constexpr socket_set_ref(std::nullptr_t) noexcept {} // NOLINT: `select` takes null pointers as they come
    template <UINT Capacity>
    constexpr socket_set_ref(basic_socket_set<Capacity>* set) noexcept // NOLINT: and sets
        : count_(set != nullptr ? &set->fd_count : nullptr), members_(set != nullptr ? set->fd_array : nullptr)
    {}
    constexpr socket_set_ref(UINT* count, SOCKET* members) noexcept : count_(count), members_(members) {}

    constexpr explicit operator bool() const noexcept { return count_ != nullptr; }
    constexpr std::span<SOCKET> members() const noexcept { return {members_, *count_}; } ///< @pre it refers to a set
    constexpr void resize(UINT count) const noexcept { *count_ = count; }                ///< @pre it refers to a set

private:
    UINT* count_     = nullptr;
    SOCKET* members_ = nullptr;
};

template <UINT Capacity>
constexpr void set_clear(basic_socket_set<Capacity>& set) noexcept ///< FD_ZERO
{
    set.fd_count = 0;
}

template <UINT Capacity>
constexpr bool set_contains(SOCKET s, const basic_socket_set<Capacity>& set) noexcept ///< FD_ISSET
{
    return std::find(set.fd_array, set.fd_array + set.fd_count, s) != set.fd_array + set.fd_count;
}

template <UINT Capacity>
constexpr void set_insert(SOCKET s, basic_socket_set<Capacity>& set) noexcept ///< FD_SET
{
    if (set.fd_count < Capacity && !set_contains(s, set)) set.fd_array[set.fd_count++] = s;
}

template <UINT Capacity>
constexpr void set_erase(SOCKET s, basic_socket_set<Capacity>& set) noexcept ///< FD_CLR
{
    set.fd_count = static_cast<UINT>(std::ranges::remove(set.fd_array, set.fd_array + set.fd_count, s).begin() - set.fd_array);
}

} // namespace sharedsock::winsock
