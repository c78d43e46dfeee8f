// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/winsock/types.hpp>

#include <sys/socket.h>

/// Numbers of Winsock. Here, with Winsock's values: those that have no counterpart in Linux (WSAE…, WSA_…, FD_…, XP1_…, SD_…,
/// INVALID_SOCKET). Not here, with Linux's values, from the system's headers: AF_…, SOCK_…, IPPROTO_…, SOL_SOCKET, SO_…, MSG_…,
/// TCP_NODELAY, IPV6_…, INADDR_…, FIONBIO, FIONREAD, SIOCATMARK. A program that spells their names does not notice; one that
/// has the numbers in it (`socket(23, 1, 6)`) has to be changed.
///
/// They are constants, not macros: `#ifdef FD_READ` is false.
namespace sharedsock::winsock {

inline constexpr SOCKET INVALID_SOCKET  = ~SOCKET{0};
inline constexpr int SOCKET_ERROR       = -1;
inline constexpr int FROM_PROTOCOL_INFO = -1;

inline constexpr int SD_RECEIVE = 0; // these three equal SHUT_…
inline constexpr int SD_SEND    = 1;
inline constexpr int SD_BOTH    = 2;

// Options that Linux has no name for; `setsockopt` and `getsockopt` know them.
inline constexpr int SO_DONTLINGER       = ~SO_LINGER;
inline constexpr int SO_EXCLUSIVEADDRUSE = ~SO_REUSEADDR;

// `WSAAccept`'s condition function returns one of these.
inline constexpr int CF_ACCEPT = 0;
inline constexpr int CF_REJECT = 1;
inline constexpr int CF_DEFER  = 2; // not supported: as a rejection (WSK-12)

// Codes of `WSAIoctl`.
inline constexpr DWORD SIO_ADDRESS_LIST_CHANGE      = 0x2800'0017;
inline constexpr DWORD SIO_ROUTING_INTERFACE_CHANGE = 0x8800'0015;
inline constexpr DWORD SIO_KEEPALIVE_VALS           = 0x9800'0004;

// --- network events: bits, and the numbers of the bits ------------------------------------------------------------------------

inline constexpr int FD_READ_BIT                     = 0;
inline constexpr int FD_WRITE_BIT                    = 1;
inline constexpr int FD_OOB_BIT                      = 2;
inline constexpr int FD_ACCEPT_BIT                   = 3;
inline constexpr int FD_CONNECT_BIT                  = 4;
inline constexpr int FD_CLOSE_BIT                    = 5;
inline constexpr int FD_QOS_BIT                      = 6;
inline constexpr int FD_GROUP_QOS_BIT                = 7;
inline constexpr int FD_ROUTING_INTERFACE_CHANGE_BIT = 8;
inline constexpr int FD_ADDRESS_LIST_CHANGE_BIT      = 9;

inline constexpr int FD_READ                     = 1 << FD_READ_BIT;
inline constexpr int FD_WRITE                    = 1 << FD_WRITE_BIT;
inline constexpr int FD_OOB                      = 1 << FD_OOB_BIT;
inline constexpr int FD_ACCEPT                   = 1 << FD_ACCEPT_BIT;
inline constexpr int FD_CONNECT                  = 1 << FD_CONNECT_BIT;
inline constexpr int FD_CLOSE                    = 1 << FD_CLOSE_BIT;
inline constexpr int FD_QOS                      = 1 << FD_QOS_BIT;
inline constexpr int FD_GROUP_QOS                = 1 << FD_GROUP_QOS_BIT;
inline constexpr int FD_ROUTING_INTERFACE_CHANGE = 1 << FD_ROUTING_INTERFACE_CHANGE_BIT;
inline constexpr int FD_ADDRESS_LIST_CHANGE      = 1 << FD_ADDRESS_LIST_CHANGE_BIT;
inline constexpr int FD_ALL_EVENTS               = (1 << FD_MAX_EVENTS) - 1;

// --- event objects and waiting ------------------------------------------------------------------------------------------------

inline constexpr WSAEVENT WSA_INVALID_EVENT    = nullptr;
inline constexpr DWORD WSA_MAXIMUM_WAIT_EVENTS = 64;
inline constexpr DWORD WSA_WAIT_EVENT_0        = 0;
inline constexpr DWORD WSA_WAIT_IO_COMPLETION  = 0xC0; // never returned: nothing is alertable
inline constexpr DWORD WSA_WAIT_TIMEOUT        = 258;
inline constexpr DWORD WSA_WAIT_FAILED         = 0xFFFF'FFFF;
inline constexpr DWORD WSA_INFINITE            = 0xFFFF'FFFF;

// --- flags of WSASocket, and of WSAPROTOCOL_INFO --------------------------------------------------------------------------------

inline constexpr DWORD WSA_FLAG_OVERLAPPED        = 0x01; // accepted, without effect
inline constexpr DWORD WSA_FLAG_NO_HANDLE_INHERIT = 0x80; // accepted: descriptors are close-on-exec in any case

inline constexpr DWORD XP1_CONNECTIONLESS      = 0x0000'0001;
inline constexpr DWORD XP1_GUARANTEED_DELIVERY = 0x0000'0002;
inline constexpr DWORD XP1_GUARANTEED_ORDER    = 0x0000'0004;
inline constexpr DWORD XP1_MESSAGE_ORIENTED    = 0x0000'0008;
inline constexpr DWORD XP1_GRACEFUL_CLOSE      = 0x0000'0020;
inline constexpr DWORD XP1_EXPEDITED_DATA      = 0x0000'0040;
inline constexpr DWORD XP1_SUPPORT_BROADCAST   = 0x0000'0200;
inline constexpr DWORD XP1_IFS_HANDLES         = 0x0002'0000; // never set: a SOCKET is no file
inline constexpr int BIGENDIAN                 = 0;
inline constexpr int LITTLEENDIAN              = 1;

// --- errors ---------------------------------------------------------------------------------------------------------------------

inline constexpr int WSA_INVALID_HANDLE    = 6;
inline constexpr int WSA_NOT_ENOUGH_MEMORY = 8;
inline constexpr int WSA_INVALID_PARAMETER = 87;
inline constexpr int WSA_OPERATION_ABORTED = 995;
inline constexpr int WSA_IO_INCOMPLETE     = 996;
inline constexpr int WSA_IO_PENDING        = 997;

inline constexpr int WSABASEERR             = 10000;
inline constexpr int WSAEINTR               = 10004;
inline constexpr int WSAEBADF               = 10009;
inline constexpr int WSAEACCES              = 10013;
inline constexpr int WSAEFAULT              = 10014;
inline constexpr int WSAEINVAL              = 10022;
inline constexpr int WSAEMFILE              = 10024;
inline constexpr int WSAEWOULDBLOCK         = 10035;
inline constexpr int WSAEINPROGRESS         = 10036;
inline constexpr int WSAEALREADY            = 10037;
inline constexpr int WSAENOTSOCK            = 10038;
inline constexpr int WSAEDESTADDRREQ        = 10039;
inline constexpr int WSAEMSGSIZE            = 10040;
inline constexpr int WSAEPROTOTYPE          = 10041;
inline constexpr int WSAENOPROTOOPT         = 10042;
inline constexpr int WSAEPROTONOSUPPORT     = 10043;
inline constexpr int WSAESOCKTNOSUPPORT     = 10044;
inline constexpr int WSAEOPNOTSUPP          = 10045;
inline constexpr int WSAEPFNOSUPPORT        = 10046;
inline constexpr int WSAEAFNOSUPPORT        = 10047;
inline constexpr int WSAEADDRINUSE          = 10048;
inline constexpr int WSAEADDRNOTAVAIL       = 10049;
inline constexpr int WSAENETDOWN            = 10050;
inline constexpr int WSAENETUNREACH         = 10051;
inline constexpr int WSAENETRESET           = 10052;
inline constexpr int WSAECONNABORTED        = 10053;
inline constexpr int WSAECONNRESET          = 10054;
inline constexpr int WSAENOBUFS             = 10055;
inline constexpr int WSAEISCONN             = 10056;
inline constexpr int WSAENOTCONN            = 10057;
inline constexpr int WSAESHUTDOWN           = 10058;
inline constexpr int WSAETOOMANYREFS        = 10059;
inline constexpr int WSAETIMEDOUT           = 10060;
inline constexpr int WSAECONNREFUSED        = 10061;
inline constexpr int WSAELOOP               = 10062;
inline constexpr int WSAENAMETOOLONG        = 10063;
inline constexpr int WSAEHOSTDOWN           = 10064;
inline constexpr int WSAEHOSTUNREACH        = 10065;
inline constexpr int WSAENOTEMPTY           = 10066;
inline constexpr int WSAEPROCLIM            = 10067;
inline constexpr int WSAEUSERS              = 10068;
inline constexpr int WSAEDQUOT              = 10069;
inline constexpr int WSAESTALE              = 10070;
inline constexpr int WSAEREMOTE             = 10071;
inline constexpr int WSASYSNOTREADY         = 10091;
inline constexpr int WSAVERNOTSUPPORTED     = 10092;
inline constexpr int WSANOTINITIALISED      = 10093;
inline constexpr int WSAEDISCON             = 10101;
inline constexpr int WSAENOMORE             = 10102;
inline constexpr int WSAECANCELLED          = 10103;
inline constexpr int WSAEINVALIDPROCTABLE   = 10104;
inline constexpr int WSAEINVALIDPROVIDER    = 10105;
inline constexpr int WSAEPROVIDERFAILEDINIT = 10106;
inline constexpr int WSASYSCALLFAILURE      = 10107;
inline constexpr int WSASERVICE_NOT_FOUND   = 10108;
inline constexpr int WSATYPE_NOT_FOUND      = 10109;
inline constexpr int WSA_E_NO_MORE          = 10110;
inline constexpr int WSA_E_CANCELLED        = 10111;
inline constexpr int WSAEREFUSED            = 10112;
inline constexpr int WSAHOST_NOT_FOUND      = 11001;
inline constexpr int WSATRY_AGAIN           = 11002;
inline constexpr int WSANO_RECOVERY         = 11003;
inline constexpr int WSANO_DATA             = 11004;

// --- Windows' macros, as functions ----------------------------------------------------------------------------------------------

constexpr WORD MAKEWORD(unsigned low, unsigned high) noexcept { return static_cast<WORD>((low & 0xFFu) | (high & 0xFFu) << 8); }
constexpr BYTE LOBYTE(UINT_PTR word) noexcept { return static_cast<BYTE>(word & 0xFFu); }
constexpr BYTE HIBYTE(UINT_PTR word) noexcept { return static_cast<BYTE>(word >> 8 & 0xFFu); }

/// The two halves of the message that `WSAAsyncSelect` makes.
constexpr WORD WSAGETSELECTEVENT(LPARAM lParam) noexcept { return static_cast<WORD>(lParam & 0xFFFF); }
constexpr WORD WSAGETSELECTERROR(LPARAM lParam) noexcept { return static_cast<WORD>(lParam >> 16 & 0xFFFF); }
constexpr LPARAM WSAMAKESELECTREPLY(int event, int error) noexcept { return LPARAM{event & 0xFFFF} | LPARAM{error} << 16; }

} // namespace sharedsock::winsock
