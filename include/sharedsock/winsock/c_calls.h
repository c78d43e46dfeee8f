/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */
#ifndef SHAREDSOCK_WINSOCK_C_CALLS_H
#define SHAREDSOCK_WINSOCK_C_CALLS_H

/* The calls of <sharedsock/winsock/calls.hpp> for C: there the comments are. Some have names that the C library has too, so each
   has a name of its own for the linker. */

#define SHAREDSOCK_WINSOCK_IS(call) __asm__("sharedsock_winsock_" #call)

int WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData) SHAREDSOCK_WINSOCK_IS(WSAStartup);
int WSACleanup(void) SHAREDSOCK_WINSOCK_IS(WSACleanup);
int WSAGetLastError(void) SHAREDSOCK_WINSOCK_IS(WSAGetLastError);
void WSASetLastError(int iError) SHAREDSOCK_WINSOCK_IS(WSASetLastError);

SOCKET socket(int af, int type, int protocol) SHAREDSOCK_WINSOCK_IS(socket);
int closesocket(SOCKET s) SHAREDSOCK_WINSOCK_IS(closesocket);
int bind(SOCKET s, const struct sockaddr* name, int namelen) SHAREDSOCK_WINSOCK_IS(bind);
int listen(SOCKET s, int backlog) SHAREDSOCK_WINSOCK_IS(listen);
SOCKET accept(SOCKET s, struct sockaddr* addr, int* addrlen) SHAREDSOCK_WINSOCK_IS(accept);
int connect(SOCKET s, const struct sockaddr* name, int namelen) SHAREDSOCK_WINSOCK_IS(connect);
int shutdown(SOCKET s, int how) SHAREDSOCK_WINSOCK_IS(shutdown);
int getsockname(SOCKET s, struct sockaddr* name, int* namelen) SHAREDSOCK_WINSOCK_IS(getsockname);
int getpeername(SOCKET s, struct sockaddr* name, int* namelen) SHAREDSOCK_WINSOCK_IS(getpeername);
SOCKET WSAAccept(SOCKET s, struct sockaddr* addr, int* addrlen, LPCONDITIONPROC lpfnCondition, DWORD_PTR dwCallbackData)
    SHAREDSOCK_WINSOCK_IS(WSAAccept);
int WSAConnect(SOCKET s, const struct sockaddr* name, int namelen, LPWSABUF lpCallerData, LPWSABUF lpCalleeData, void* lpSQOS,
               void* lpGQOS) SHAREDSOCK_WINSOCK_IS(WSAConnect);

int send(SOCKET s, const char* buf, int len, int flags) SHAREDSOCK_WINSOCK_IS(send);
int recv(SOCKET s, char* buf, int len, int flags) SHAREDSOCK_WINSOCK_IS(recv);
int sendto(SOCKET s, const char* buf, int len, int flags, const struct sockaddr* to, int tolen) SHAREDSOCK_WINSOCK_IS(sendto);
int recvfrom(SOCKET s, char* buf, int len, int flags, struct sockaddr* from, int* fromlen) SHAREDSOCK_WINSOCK_IS(recvfrom);
int WSASend(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine) SHAREDSOCK_WINSOCK_IS(WSASend);
int WSARecv(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine) SHAREDSOCK_WINSOCK_IS(WSARecv);
int WSASendTo(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags,
              const struct sockaddr* lpTo, int iTolen, LPWSAOVERLAPPED lpOverlapped,
              LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine) SHAREDSOCK_WINSOCK_IS(WSASendTo);
int WSARecvFrom(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags,
                struct sockaddr* lpFrom, int* lpFromlen, LPWSAOVERLAPPED lpOverlapped,
                LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine) SHAREDSOCK_WINSOCK_IS(WSARecvFrom);

int ioctlsocket(SOCKET s, long cmd, u_long* argp) SHAREDSOCK_WINSOCK_IS(ioctlsocket);
int WSAIoctl(SOCKET s, DWORD dwIoControlCode, void* lpvInBuffer, DWORD cbInBuffer, void* lpvOutBuffer, DWORD cbOutBuffer,
             LPDWORD lpcbBytesReturned, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
    SHAREDSOCK_WINSOCK_IS(WSAIoctl);
int setsockopt(SOCKET s, int level, int optname, const char* optval, int optlen) SHAREDSOCK_WINSOCK_IS(setsockopt);
int getsockopt(SOCKET s, int level, int optname, char* optval, int* optlen) SHAREDSOCK_WINSOCK_IS(getsockopt);
int WSAPoll(WSAPOLLFD* fdArray, ULONG fds, INT timeout) SHAREDSOCK_WINSOCK_IS(WSAPoll);

int WSAAddressToStringA(const struct sockaddr* lpsaAddress, DWORD dwAddressLength, LPWSAPROTOCOL_INFO lpProtocolInfo,
                        LPSTR lpszAddressString, LPDWORD lpdwAddressStringLength) SHAREDSOCK_WINSOCK_IS(WSAAddressToStringA);
int WSAStringToAddressA(LPCSTR AddressString, INT AddressFamily, LPWSAPROTOCOL_INFO lpProtocolInfo, struct sockaddr* lpAddress,
                        int* lpAddressLength) SHAREDSOCK_WINSOCK_IS(WSAStringToAddressA);
int getaddrinfo(LPCSTR pNodeName, LPCSTR pServiceName, const struct addrinfo* pHints, struct addrinfo** ppResult)
    SHAREDSOCK_WINSOCK_IS(getaddrinfo);
int getnameinfo(const struct sockaddr* pSockaddr, socklen_t SockaddrLength, char* pNodeBuffer, DWORD NodeBufferSize,
                char* pServiceBuffer, DWORD ServiceBufferSize, INT Flags) SHAREDSOCK_WINSOCK_IS(getnameinfo);
struct hostent* gethostbyname(LPCSTR name) SHAREDSOCK_WINSOCK_IS(gethostbyname);
struct hostent* gethostbyaddr(LPCSTR addr, int len, int type) SHAREDSOCK_WINSOCK_IS(gethostbyaddr);
LPCSTR gai_strerror(int ecode) SHAREDSOCK_WINSOCK_IS(gai_strerror);
BOOL WSAConnectByNameA(SOCKET s, LPCSTR nodename, LPCSTR servicename, LPDWORD LocalAddressLength, struct sockaddr* LocalAddress,
                       LPDWORD RemoteAddressLength, struct sockaddr* RemoteAddress, const struct timeval* timeout,
                       LPWSAOVERLAPPED Reserved) SHAREDSOCK_WINSOCK_IS(WSAConnectByNameA);
int WSAEnumProtocolsA(int* lpiProtocols, LPWSAPROTOCOL_INFO lpProtocolBuffer, LPDWORD lpdwBufferLength)
    SHAREDSOCK_WINSOCK_IS(WSAEnumProtocolsA);
BOOL INETADDR_ISANY(const struct sockaddr* a) SHAREDSOCK_WINSOCK_IS(INETADDR_ISANY);
BOOL INETADDR_ISLOOPBACK(const struct sockaddr* a) SHAREDSOCK_WINSOCK_IS(INETADDR_ISLOOPBACK);
void INETADDR_SETANY(struct sockaddr* a) SHAREDSOCK_WINSOCK_IS(INETADDR_SETANY);
void INETADDR_SETLOOPBACK(struct sockaddr* a) SHAREDSOCK_WINSOCK_IS(INETADDR_SETLOOPBACK);
USHORT INETADDR_PORT(const struct sockaddr* a) SHAREDSOCK_WINSOCK_IS(INETADDR_PORT);

WSAEVENT WSACreateEvent(void) SHAREDSOCK_WINSOCK_IS(WSACreateEvent);
BOOL WSASetEvent(WSAEVENT hEvent) SHAREDSOCK_WINSOCK_IS(WSASetEvent);
BOOL WSAResetEvent(WSAEVENT hEvent) SHAREDSOCK_WINSOCK_IS(WSAResetEvent);
BOOL WSACloseEvent(WSAEVENT hEvent) SHAREDSOCK_WINSOCK_IS(WSACloseEvent);
DWORD WSAWaitForMultipleEvents(DWORD cEvents, const WSAEVENT* lphEvents, BOOL fWaitAll, DWORD dwTimeout, BOOL fAlertable)
    SHAREDSOCK_WINSOCK_IS(WSAWaitForMultipleEvents);
int WSAEventSelect(SOCKET s, WSAEVENT hEventObject, long lNetworkEvents) SHAREDSOCK_WINSOCK_IS(WSAEventSelect);
int WSAEnumNetworkEvents(SOCKET s, WSAEVENT hEventObject, LPWSANETWORKEVENTS lpNetworkEvents)
    SHAREDSOCK_WINSOCK_IS(WSAEnumNetworkEvents);
int WSAAsyncSelect(SOCKET s, HWND hWnd, unsigned int wMsg, long lEvent) SHAREDSOCK_WINSOCK_IS(WSAAsyncSelect);

int WSADuplicateSocket(SOCKET s, DWORD dwProcessId, LPWSAPROTOCOL_INFO lpProtocolInfo) SHAREDSOCK_WINSOCK_IS(WSADuplicateSocket);
SOCKET WSASocket(int af, int type, int protocol, LPWSAPROTOCOL_INFO lpProtocolInfo, GROUP g, DWORD dwFlags)
    SHAREDSOCK_WINSOCK_IS(WSASocket);

/* `select` for sets of any size: `fd_count` says how many SOCKETs follow. */
int sharedsock_winsock_select(int nfds, void* readfds, void* writefds, void* exceptfds, const struct timeval* timeout);

/* Where a Windows program makes a window, gets its messages and dispatches them: a window whose messages are calls of `procedure`,
   in the thread that dispatches. Null, and WSAGetLastError, on failure. `sharedsock_winsock_dispatch_message` waits for so many
   milliseconds (negative: for ever), dispatches one message, and returns how many it has dispatched. A forked child makes windows
   of its own. */
HWND sharedsock_winsock_open_window(LRESULT (*procedure)(HWND hWnd, UINT uMsg, WPARAM wParam, LPARAM lParam));
BOOL sharedsock_winsock_close_window(HWND hWnd);
int sharedsock_winsock_dispatch_message(int milliseconds);

/* Which segment the next WSAStartup attaches to, instead of the environment's (`use_segment`); 0:
   a WSAStartup is in force. */
BOOL sharedsock_winsock_use_segment(const char* name);

#endif
