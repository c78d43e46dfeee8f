// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Names of hosts and services, by the C library, with Winsock's codes (WSK-13).
#include "winsock/layer.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include <netdb.h>
#include <sys/socket.h>

namespace sharedsock::winsock {
namespace {

struct code_row {
    int code;    // Winsock's
    int eai;     // getaddrinfo(3)'s
    int h_error; // gethostbyname(3)'s; 0: none
};

constexpr code_row rows[] = {
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
    const auto* const found = std::ranges::find(rows, eai, &code_row::eai);
    if (eai == EAI_SYSTEM)
        detail::fail(error_code(errno, boost::system::system_category()));
    else
        detail::fail(found != std::end(rows) ? found->code : WSANO_RECOVERY);
    return WSAGetLastError();
}

hostent* told(hostent* host, int h_error)
{
    if (host != nullptr) return host;
    const auto* const found = std::ranges::find(rows, h_error, &code_row::h_error);
    detail::fail(found != std::end(rows) ? found->code : WSANO_RECOVERY);
    return nullptr;
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

LPCSTR gai_strerror(int ecode)
{
    const auto* const found = std::ranges::find(rows, ecode, &code_row::code);
    return ::gai_strerror(found != std::end(rows) ? found->eai : EAI_FAIL);
}

} // namespace sharedsock::winsock
