// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/winsock/constants.hpp>
#include <sharedsock/winsock/types.hpp>

#include <concepts>

#include <sys/socket.h>

/// Winsock's calls, each with the library's call that it stands for. <sharedsock/winsock.hpp> makes them global names.
///
/// They keep Winsock's contracts: the arguments and the result of a prototype; on failure INVALID_SOCKET or SOCKET_ERROR (or the
/// value that the comment names), and the reason in `WSAGetLastError`, one of the codes of constants.hpp. The rules of shared
/// sockets are the library's (DUP, STATE, REG, EVT, ENUM, ASYNC); the comments name what this layer decides.
///
/// @par Errors of every call
/// WSANOTINITIALISED: no WSAStartup. WSAENOTSOCK: not a SOCKET of this process, or closed. WSAEFAULT: a null pointer, or room that
/// is too small. WSA_NOT_ENOUGH_MEMORY. No call throws.
/// @par Safety
/// Threads: safe, closing too: a blocking call of another thread on the same SOCKET ends with WSA_OPERATION_ABORTED (DUP-18). A
/// thread has its own WSAGetLastError. Processes: safe. fork(2): the child has every SOCKET under its number, as a handle of its
/// own that owns no registration (DUP-17); event objects are fresh and nothing sets them; WSAStartup stays in force. (Not while
/// another thread is inside of WSAStartup or WSACleanup.) Signal handlers: not callable.
namespace sharedsock::winsock {

/// Linux's type for the length of an address, where Winsock's is `int`.
template <class Length>
concept system_length = std::same_as<Length, socklen_t>;

// --- beginning and end --------------------------------------------------------------------------------------------------------

/// segment::open_or_create. Attaches the process to its segment, and counts its calls. The segment is that of `use_segment`, else
/// the one that the environment variable SHAREDSOCK_WINSOCK_SEGMENT names, else "winsock": the same for all programs of one user,
/// so that WSADuplicateSocket to any of them works with no further code.
///
/// Returns the error: WSAVERNOTSUPPORTED for versions below 1.0, WSASYSNOTREADY if the segment cannot be attached to
/// (`last_error_reason` says why), WSAEPROCLIM if too many processes are attached, WSAEFAULT.
int WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData);

/// segment's end. The call that matches the first WSAStartup closes every SOCKET and detaches; when no process is attached any
/// more the segment goes, and nothing is left in /dev/shm. The end of the process by exit(3) does the same; a process that is
/// killed leaves the segment to the next one that attaches.
int WSACleanup();

int WSAGetLastError(); ///< of this thread; 0 before the first failure. Data calls that succeed clear it (WSK-11).
void WSASetLastError(int iError);

// --- sockets ------------------------------------------------------------------------------------------------------------------

SOCKET socket(int af, int type, int protocol);            ///< shared_socket::open; IPV6_V6ONLY is on, as on Windows
int closesocket(SOCKET s);                                ///< shared_socket::close (ERR-4: WSAEWOULDBLOCK)
int bind(SOCKET s, const sockaddr* name, int namelen);    ///< shared_socket::bind
int listen(SOCKET s, int backlog);                        ///< shared_socket::listen; WSAEINVAL: not bound
SOCKET accept(SOCKET s, sockaddr* addr, int* addrlen);    ///< shared_socket::accept (STATE-13, REG-15)
int connect(SOCKET s, const sockaddr* name, int namelen); ///< shared_socket::connect (STATE-5)
int shutdown(SOCKET s, int how);                          ///< shared_socket::shutdown; SD_…
int getsockname(SOCKET s, sockaddr* name, int* namelen);  ///< shared_socket::local_address; WSAEINVAL: not bound
int getpeername(SOCKET s, sockaddr* name, int* namelen);  ///< shared_socket::peer_address

// --- data. Counts are bytes; a blocking call whose SO_RCVTIMEO or SO_SNDTIMEO has passed fails with WSAETIMEDOUT ----------------

int send(SOCKET s, const char* buf, int len, int flags); ///< shared_socket::send
int recv(SOCKET s, char* buf, int len, int flags);       ///< shared_socket::receive; WSAEMSGSIZE: a datagram was cut
int sendto(SOCKET s, const char* buf, int len, int flags, const sockaddr* to, int tolen); ///< shared_socket::send_to
int recvfrom(SOCKET s, char* buf, int len, int flags, sockaddr* from, int* fromlen);      ///< shared_socket::receive_from

/// shared_socket::send and receive with several pieces. `lpOverlapped` and the routine are null, else WSAEOPNOTSUPP.
int WSASend(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
int WSARecv(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);

/// As WSASend and WSARecv, with an address, as sendto and recvfrom.
int WSASendTo(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags, const sockaddr* lpTo,
              int iTolen, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
int WSARecvFrom(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags, sockaddr* lpFrom,
                int* lpFromlen, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);

/// accept; `lpfnCondition`, unless null, is asked about the connection after it was taken, and a rejected one is closed with a
/// reset (WSAECONNREFUSED). connect; the caller's data and the qualities of service are null, else WSAEOPNOTSUPP.
SOCKET WSAAccept(SOCKET s, sockaddr* addr, int* addrlen, LPCONDITIONPROC lpfnCondition, DWORD_PTR dwCallbackData);
int WSAConnect(SOCKET s, const sockaddr* name, int namelen, LPWSABUF lpCallerData, LPWSABUF lpCalleeData, void* lpSQOS,
               void* lpGQOS);

/// FIONBIO, FIONREAD and SIOCATMARK as ioctlsocket; SIO_KEEPALIVE_VALS: SO_KEEPALIVE with its times, in whole seconds;
/// SIO_ADDRESS_LIST_CHANGE and SIO_ROUTING_INTERFACE_CHANGE: shared_socket::request_change (EVT-25). Others: WSAEOPNOTSUPP.
int WSAIoctl(SOCKET s, DWORD dwIoControlCode, void* lpvInBuffer, DWORD cbInBuffer, void* lpvOutBuffer, DWORD cbOutBuffer,
             LPDWORD lpcbBytesReturned, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);

// --- addresses as text: "1.2.3.4:80", "[::1]:80"; without a port, "1.2.3.4", "::1" ----------------------------------------------

/// `*lpdwAddressStringLength` is the room, and becomes the length with the final zero. WSAEFAULT: too small. WSAEINVAL: another
/// family. `lpProtocolInfo` is ignored.
int WSAAddressToStringA(const sockaddr* lpsaAddress, DWORD dwAddressLength, LPWSAPROTOCOL_INFO lpProtocolInfo,
                        LPSTR lpszAddressString, LPDWORD lpdwAddressStringLength);
int WSAStringToAddressA(LPCSTR AddressString, INT AddressFamily, LPWSAPROTOCOL_INFO lpProtocolInfo, sockaddr* lpAddress,
                        int* lpAddressLength);
inline constexpr auto& WSAAddressToString = WSAAddressToStringA;
inline constexpr auto& WSAStringToAddress = WSAStringToAddressA;

/// The C library's getaddrinfo, getnameinfo, gethostbyname and gethostbyaddr, with Winsock's codes: these return one, or null, and
/// WSAGetLastError has it (WSK-13). freeaddrinfo is the C library's.
int getaddrinfo(LPCSTR pNodeName, LPCSTR pServiceName, const addrinfo* pHints, addrinfo** ppResult);
int getnameinfo(const sockaddr* pSockaddr, socklen_t SockaddrLength, char* pNodeBuffer, DWORD NodeBufferSize, char* pServiceBuffer,
                DWORD ServiceBufferSize, INT Flags);
hostent* gethostbyname(LPCSTR name);
hostent* gethostbyaddr(LPCSTR addr, int len, int type);
LPCSTR gai_strerror(int ecode); ///< of a code that getaddrinfo has returned

/// Connects to the addresses of a host's service one after the other, until one answers; FALSE, and the last one's error. `timeout`
/// (null: none) limits each attempt, as SO_SNDTIMEO, which keeps its value. The addresses are told if there is room for them;
/// `Reserved` is null, else WSAEINVAL. A SOCKET of a single family connects to addresses of that family only.
BOOL WSAConnectByNameA(SOCKET s, LPCSTR nodename, LPCSTR servicename, LPDWORD LocalAddressLength, sockaddr* LocalAddress,
                       LPDWORD RemoteAddressLength, sockaddr* RemoteAddress, const timeval* timeout, LPWSAOVERLAPPED Reserved);
inline constexpr auto& WSAConnectByName = WSAConnectByNameA;

/// The protocols that `socket` knows: TCP and UDP, over IPv4 and IPv6. `lpiProtocols`, unless null, is a list of protocols'
/// numbers that ends with 0. The count; SOCKET_ERROR and WSAENOBUFS if the buffer is too small, whose length then becomes the one
/// that is needed.
int WSAEnumProtocolsA(int* lpiProtocols, LPWSAPROTOCOL_INFO lpProtocolBuffer, LPDWORD lpdwBufferLength);
inline constexpr auto& WSAEnumProtocols = WSAEnumProtocolsA;

/// The family, address and port parts of a sockaddr of either internet family.
bool INETADDR_ISANY(const sockaddr* a);
bool INETADDR_ISLOOPBACK(const sockaddr* a);
void INETADDR_SETANY(sockaddr* a);
void INETADDR_SETLOOPBACK(sockaddr* a);
USHORT INETADDR_PORT(const sockaddr* a); ///< in network byte order

// --- state --------------------------------------------------------------------------------------------------------------------

/// FIONBIO: shared_socket::set_blocking (REG-13: WSAEINVAL). FIONREAD: ioctl(2). SIOCATMARK: 1 unless urgent data is further on.
int ioctlsocket(SOCKET s, long cmd, u_long* argp);

/// shared_socket::set_option and get_option. Values are Winsock's: SO_RCVTIMEO and SO_SNDTIMEO take a DWORD of milliseconds (or
/// a timeval, told by its size), SO_ERROR gives a WSAE… code, SO_DONTLINGER and SO_EXCLUSIVEADDRUSE are known, and a flag may
/// be a single byte. `linger` is the system's. Timeouts and sizes of buffers read back as they were set (WSK-4). SO_REUSEADDR and
/// SO_EXCLUSIVEADDRUSE exclude each other: WSAEINVAL.
int setsockopt(SOCKET s, int level, int optname, const char* optval, int optlen);
int getsockopt(SOCKET s, int level, int optname, char* optval, int* optlen);

/// poll(2) over the sets, of any size; takes part in no registration (REG-9). `nfds` is ignored. The count of SOCKETs in the sets
/// that are ready (WSK-6, WSK-7); `exceptfds` tells of urgent data and of attempts to connect that failed. `timeout` null: for
/// ever. WSAEINVAL: the sets are empty. WSAENOTSOCK: a member is no SOCKET, or was closed while the call waited.
int select(int nfds, socket_set_ref readfds, socket_set_ref writefds, socket_set_ref exceptfds, const timeval* timeout);

/// poll(2) with SOCKETs: the number of entries that are ready, 0 when `timeout` (milliseconds, negative: for ever) has passed, or
/// SOCKET_ERROR. An entry that is no SOCKET, or is closed while the call waits, has POLLNVAL.
int WSAPoll(WSAPOLLFD* fdArray, ULONG fds, INT timeout);

// --- event objects ------------------------------------------------------------------------------------------------------------

WSAEVENT WSACreateEvent();           ///< event_object; WSA_INVALID_EVENT on failure
BOOL WSASetEvent(WSAEVENT hEvent);   ///< event_object::set; 0 on failure: WSA_INVALID_HANDLE
BOOL WSAResetEvent(WSAEVENT hEvent); ///< event_object::reset
BOOL WSACloseEvent(WSAEVENT hEvent); ///< ~event_object: cancels registrations it serves (REG-20)

/// wait_any and wait_all, over at most WSA_MAXIMUM_WAIT_EVENTS objects; `dwTimeout` is milliseconds or WSA_INFINITE. The result
/// is WSA_WAIT_EVENT_0 plus the lowest index that is signalled, WSA_WAIT_TIMEOUT, or WSA_WAIT_FAILED: WSA_INVALID_PARAMETER,
/// WSA_INVALID_HANDLE. `fAlertable` has no effect. An object that is closed meanwhile lives until the wait ends.
DWORD WSAWaitForMultipleEvents(DWORD cEvents, const WSAEVENT* lphEvents, BOOL fWaitAll, DWORD dwTimeout, BOOL fAlertable);

// --- the event registration ---------------------------------------------------------------------------------------------------

/// shared_socket::event_select: makes `hEventObject` the sink of the events in `lNetworkEvents`, and this SOCKET the owner of
/// the socket's one registration, which any other owner loses (REG-2). 0 events: cancel_registration (REG-5). WSAEINVAL: there
/// is no such object, or a bit is none of the ten; nothing has changed (REG-19).
int WSAEventSelect(SOCKET s, WSAEVENT hEventObject, long lNetworkEvents);

/// shared_socket::enum_network_events: collects the record and resets `hEventObject`, unless it is null, in one step (ENUM-2).
/// As on Windows it collects through any SOCKET, also if another one has the registration (ENUM-7): no WSA call asks to be told of
/// a loss (ENUM-10).
int WSAEnumNetworkEvents(SOCKET s, WSAEVENT hEventObject, LPWSANETWORKEVENTS lpNetworkEvents);

/// async_select: `hWnd` is a result of `open_window` (<sharedsock/winsock/window.hpp>), a procedure and the executor it runs
/// on. It is called with `wMsg`, the SOCKET as `wParam`, and an `lParam` that WSAGETSELECTEVENT and WSAGETSELECTERROR take apart.
/// WSAEINVAL: no such window (ASYNC-7).
int WSAAsyncSelect(SOCKET s, HWND hWnd, unsigned int wMsg, long lEvent);

// --- sharing ------------------------------------------------------------------------------------------------------------------

/// shared_socket::duplicate_for_pid: `lpProtocolInfo` becomes the ticket for one handle in that process; send it there by any
/// means. `s` may be closed at once (DUP-6). WSAEINVAL: no such process.
///
/// The process need not have called WSAStartup yet. Then this process keeps the socket for it and has to live until the ticket is
/// redeemed; from the first such call until WSACleanup one thread answers for it (`segment::serve_in_thread`), the only thread
/// that is ever started here.
int WSADuplicateSocket(SOCKET s, DWORD dwProcessId, LPWSAPROTOCOL_INFO lpProtocolInfo);

/// shared_socket::redeem for an `lpProtocolInfo` that WSADuplicateSocket has made for this process, once (DUP-3, DUP-4:
/// WSAEINVAL); a call that fails for want of room (WSAEMFILE, WSAENOBUFS) may be repeated (DUP-9). With any other, or none,
/// it is `socket`, and FROM_PROTOCOL_INFO takes the value from `lpProtocolInfo`.
SOCKET WSASocket(int af, int type, int protocol, LPWSAPROTOCOL_INFO lpProtocolInfo, GROUP g, DWORD dwFlags);

inline constexpr auto& WSADuplicateSocketA = WSADuplicateSocket;
inline constexpr auto& WSADuplicateSocketW = WSADuplicateSocket;
inline constexpr auto& WSASocketA          = WSASocket;
inline constexpr auto& WSASocketW          = WSASocket;

// --- overloads for programs that say socklen_t or DWORD where Winsock says int or u_long -----------------------------------------

template <system_length Length>
SOCKET accept(SOCKET s, sockaddr* addr, Length* addrlen)
{
    return accept(s, addr, reinterpret_cast<int*>(addrlen));
}
template <system_length Length>
int getsockname(SOCKET s, sockaddr* name, Length* namelen)
{
    return getsockname(s, name, reinterpret_cast<int*>(namelen));
}
template <system_length Length>
int getpeername(SOCKET s, sockaddr* name, Length* namelen)
{
    return getpeername(s, name, reinterpret_cast<int*>(namelen));
}
template <system_length Length>
int recvfrom(SOCKET s, char* buf, int len, int flags, sockaddr* from, Length* fromlen)
{
    return recvfrom(s, buf, len, flags, from, reinterpret_cast<int*>(fromlen));
}
template <system_length Length>
int getsockopt(SOCKET s, int level, int optname, char* optval, Length* optlen)
{
    return getsockopt(s, level, optname, optval, reinterpret_cast<int*>(optlen));
}
template <std::same_as<DWORD> Value>
int ioctlsocket(SOCKET s, long cmd, Value* argp)
{
    u_long value     = argp != nullptr ? *argp : 0;
    const int result = ioctlsocket(s, cmd, argp != nullptr ? &value : nullptr);
    if (argp != nullptr) *argp = static_cast<DWORD>(value);
    return result;
}

} // namespace sharedsock::winsock
