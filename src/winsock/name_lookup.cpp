// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Names of hosts and services, by the C library, with Winsock's codes (WSK-13).
#include "winsock/layer.hpp"
#include "winsock/option_value.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <memory>

#include <netdb.h>
#include <sys/socket.h>

namespace sharedsock::winsock {
namespace {

struct code_row {
    int code;    // Winsock's
    int eai;     // getaddrinfo(3)'s
    int h_error; // gethostbyname(3)'s; 0: none
};

constexpr code_row lookup_codes[] = {
    {WSAHOST_NOT_FOUND, EAI_NONAME, HOST_NOT_FOUND},
    {WSATRY_AGAIN, EAI_AGAIN, TRY_AGAIN},
    {WSANO_RECOVERY, EAI_FAIL, NO_RECOVERY},
    {WSANO_DATA, EAI_NODATA, NO_DATA},
    {WSAEINVAL, EAI_BADFLAGS, 0},
    {WSAEAFNOSUPPORT, EAI_FAMILY, 0},
    {WSA_NOT_ENOUGH_MEMORY, EAI_MEMORY, 0},
    {WSATYPE_NOT_FOUND, EAI_SERVICE, 0},
    {WSAESOCKTNOSUPPORT, EAI_SOCKTYPE, 0},
    {WSAEFAULT, EAI_OVERFLOW, 0},
};

// The code for a result of getaddrinfo(3), which becomes the last error.
int told(int eai)
{
    if (eai == 0) return 0;
    const auto* const found = std::ranges::find(lookup_codes, eai, &code_row::eai);
    if (eai == EAI_SYSTEM)
        detail::fail(error_code(errno, boost::system::system_category()));
    else
        detail::fail(found != std::end(lookup_codes) ? found->code : WSANO_RECOVERY);
    return WSAGetLastError();
}

hostent* told(hostent* host, int h_error)
{
    if (host != nullptr) return host;
    const auto* const found = std::ranges::find(lookup_codes, h_error, &code_row::h_error);
    detail::fail(found != std::end(lookup_codes) ? found->code : WSANO_RECOVERY);
    return nullptr;
}

void set_send_limit(SOCKET s, DWORD milliseconds)
{
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, reinterpret_cast<const char*>(&milliseconds), sizeof milliseconds);
}

// One of the addresses of a connected socket, if there is room for it.
void tell(SOCKET s, int (*call)(SOCKET, sockaddr*, int*), sockaddr* address, LPDWORD size)
{
    if (address == nullptr || size == nullptr) return;
    int room = static_cast<int>(*size);
    if (call(s, address, &room) == 0) *size = static_cast<DWORD>(room);
}

} // namespace

int getaddrinfo(LPCSTR pNodeName, LPCSTR pServiceName, const addrinfo* pHints, addrinfo** ppResult)
{
    if (!detail::attached_segment()) return WSANOTINITIALISED;
    return told(::getaddrinfo(pNodeName, pServiceName, pHints, ppResult));
}

int getnameinfo(const sockaddr* pSockaddr, socklen_t SockaddrLength, char* pNodeBuffer, DWORD NodeBufferSize, char* pServiceBuffer,
                DWORD ServiceBufferSize, INT Flags)
{
    if (!detail::attached_segment()) return WSANOTINITIALISED;
    return told(::getnameinfo(pSockaddr, SockaddrLength, pNodeBuffer, NodeBufferSize, pServiceBuffer, ServiceBufferSize, Flags));
}

hostent* gethostbyname(LPCSTR name)
{
    if (!detail::attached_segment()) return nullptr;
    hostent* const host = ::gethostbyname(name);
    return told(host, h_errno);
}

hostent* gethostbyaddr(LPCSTR addr, int len, int type)
{
    if (!detail::attached_segment()) return nullptr;
    hostent* const host = ::gethostbyaddr(addr, static_cast<socklen_t>(len), type);
    return told(host, h_errno);
}

BOOL WSAConnectByNameA(SOCKET s, LPCSTR nodename, LPCSTR servicename, LPDWORD LocalAddressLength, sockaddr* LocalAddress,
                       LPDWORD RemoteAddressLength, sockaddr* RemoteAddress, const timeval* timeout, LPWSAOVERLAPPED Reserved)
{
    const std::shared_ptr<shared_socket> socket = detail::find_socket(s);
    if (socket == nullptr) return 0;
    addrinfo hints{}, *found = nullptr;
    hints.ai_family   = socket->family();
    hints.ai_socktype = socket->type();
    if (Reserved != nullptr) detail::fail(WSAEINVAL);
    if (Reserved != nullptr || winsock::getaddrinfo(nodename, servicename, &hints, &found) != 0) return 0;
    DWORD before = 0;
    int size     = sizeof before;
    getsockopt(s, SOL_SOCKET, SO_SNDTIMEO, reinterpret_cast<char*>(&before), &size);
    if (timeout != nullptr) set_send_limit(s, detail::milliseconds_of(*timeout));
    int result = SOCKET_ERROR;
    for (const addrinfo* one = found; one != nullptr && result != 0; one = one->ai_next)
        result = connect(s, one->ai_addr, static_cast<int>(one->ai_addrlen));
    const int error = WSAGetLastError();
    ::freeaddrinfo(found);
    if (timeout != nullptr) set_send_limit(s, before);
    if (result != 0) WSASetLastError(error);
    if (result != 0) return 0;
    tell(s, getsockname, LocalAddress, LocalAddressLength);
    tell(s, getpeername, RemoteAddress, RemoteAddressLength);
    return 1;
}

LPCSTR gai_strerror(int ecode)
{
    const auto* const found = std::ranges::find(lookup_codes, ecode, &code_row::code);
    return ::gai_strerror(found != std::end(lookup_codes) ? found->eai : EAI_FAIL);
}

} // namespace sharedsock::winsock
