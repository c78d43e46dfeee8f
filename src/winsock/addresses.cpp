// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Addresses as text, and the parts of addresses of either internet family.
#include "winsock/arguments.hpp"
#include "winsock/failure.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace sharedsock::winsock {
namespace {

std::string text_of(const sockaddr* address)
{
    char text[INET6_ADDRSTRLEN]{};
    if (address->sa_family == AF_INET) {
        sockaddr_in four;
        std::memcpy(&four, address, sizeof four);
        ::inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
        return four.sin_port == 0 ? text : text + (":" + std::to_string(ntohs(four.sin_port)));
    }
    sockaddr_in6 six;
    std::memcpy(&six, address, sizeof six);
    ::inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    const std::string scoped = six.sin6_scope_id == 0 ? text : text + ("%" + std::to_string(six.sin6_scope_id));
    return six.sin6_port == 0 ? scoped : "[" + scoped + "]:" + std::to_string(ntohs(six.sin6_port));
}

template <class Number>
bool read_number(std::string_view text, Number& number) noexcept
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

// "1.2.3.4" with or without ":80".
bool read_four(std::string_view text, sockaddr_in& address)
{
    address            = {};
    address.sin_family = AF_INET;
    const auto colon   = text.find(':');
    in_port_t port     = 0;
    if (colon != std::string_view::npos && !read_number(text.substr(colon + 1), port)) return false;
    address.sin_port = htons(port);
    return ::inet_pton(AF_INET, std::string(text.substr(0, colon)).c_str(), &address.sin_addr) == 1;
}

// "::1", "::1%2", or one of these in brackets, with or without ":80".
bool read_six(std::string_view text, sockaddr_in6& address)
{
    address             = {};
    address.sin6_family = AF_INET6;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) return false;
        const std::string_view behind = text.substr(end + 1);
        in_port_t port                = 0;
        if (!behind.empty() && (behind.front() != ':' || !read_number(behind.substr(1), port))) return false;
        address.sin6_port = htons(port);
        text              = text.substr(1, end - 1);
    }
    const auto percent = text.find('%');
    if (percent != std::string_view::npos && !read_number(text.substr(percent + 1), address.sin6_scope_id)) return false;
    return ::inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &address.sin6_addr) == 1;
}

template <class Address>
int give(bool read, const Address& address, sockaddr* to, int* size)
{
    if (!read) return detail::fail(WSAEINVAL);
    const bool fits = *size >= static_cast<int>(sizeof address);
    *size           = sizeof address;
    if (!fits) return detail::fail(WSAEFAULT);
    std::memcpy(to, &address, sizeof address);
    return 0;
}

sockaddr_in* four(sockaddr* a) noexcept { return reinterpret_cast<sockaddr_in*>(a); }
sockaddr_in6* six(sockaddr* a) noexcept { return reinterpret_cast<sockaddr_in6*>(a); }
const sockaddr_in* four(const sockaddr* a) noexcept { return reinterpret_cast<const sockaddr_in*>(a); }
const sockaddr_in6* six(const sockaddr* a) noexcept { return reinterpret_cast<const sockaddr_in6*>(a); }

} // namespace

int WSAAddressToStringA(const sockaddr* lpsaAddress, DWORD dwAddressLength, LPWSAPROTOCOL_INFO, LPSTR lpszAddressString,
                        LPDWORD lpdwAddressStringLength)
{
    return detail::guarded(SOCKET_ERROR, [&] {
        if (lpsaAddress == nullptr || lpszAddressString == nullptr || lpdwAddressStringLength == nullptr)
            return detail::fail(WSAEFAULT);
        const int family = lpsaAddress->sa_family;
        if (family != AF_INET && family != AF_INET6) return detail::fail(WSAEINVAL);
        if (dwAddressLength < static_cast<DWORD>(detail::least_size_of(family))) return detail::fail(WSAEFAULT);
        const std::string text   = text_of(lpsaAddress);
        const DWORD room         = *lpdwAddressStringLength;
        *lpdwAddressStringLength = static_cast<DWORD>(text.size() + 1);
        if (room < text.size() + 1) return detail::fail(WSAEFAULT);
        std::memcpy(lpszAddressString, text.c_str(), text.size() + 1);
        return 0;
    });
}

int WSAStringToAddressA(LPCSTR AddressString, INT AddressFamily, LPWSAPROTOCOL_INFO, sockaddr* lpAddress, int* lpAddressLength)
{
    return detail::guarded(SOCKET_ERROR, [&] {
        if (AddressString == nullptr || lpAddress == nullptr || lpAddressLength == nullptr) return detail::fail(WSAEFAULT);
        if (AddressFamily == AF_INET) {
            sockaddr_in address;
            return give(read_four(AddressString, address), address, lpAddress, lpAddressLength);
        }
        if (AddressFamily != AF_INET6) return detail::fail(WSAEINVAL);
        sockaddr_in6 address;
        return give(read_six(AddressString, address), address, lpAddress, lpAddressLength);
    });
}

bool INETADDR_ISANY(const sockaddr* a)
{
    return a->sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&six(a)->sin6_addr) != 0
                                    : four(a)->sin_addr.s_addr == htonl(INADDR_ANY);
}

bool INETADDR_ISLOOPBACK(const sockaddr* a)
{
    return a->sa_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&six(a)->sin6_addr) != 0
                                    : four(a)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

void INETADDR_SETANY(sockaddr* a)
{
    if (a->sa_family == AF_INET6)
        six(a)->sin6_addr = in6addr_any;
    else
        four(a)->sin_addr.s_addr = htonl(INADDR_ANY);
}

void INETADDR_SETLOOPBACK(sockaddr* a)
{
    if (a->sa_family == AF_INET6)
        six(a)->sin6_addr = in6addr_loopback;
    else
        four(a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

USHORT INETADDR_PORT(const sockaddr* a) { return four(a)->sin_port; } // at the same place in both

} // namespace sharedsock::winsock
