// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/socket_address.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>

#include <netinet/in.h>

namespace sharedsock::winsock::detail {

/// The least size of an address of a family: Winsock answers a smaller one with WSAEFAULT.
constexpr int least_size_of(int family) noexcept
{
    switch (family) {
    case AF_INET:
        return sizeof(sockaddr_in);
    case AF_INET6:
        return sizeof(sockaddr_in6);
    default:
        return sizeof(sa_family_t);
    }
}

/// A failure that the layer itself has found, by the errno that stands for the Winsock code.
inline error_code refusal(int number) noexcept { return {number, boost::system::system_category()}; }

/// The address in a call's arguments. WSAEFAULT.
inline socket_address read_address(const sockaddr* name, int size, error_code& ec) noexcept
{
    socket_address address;
    const bool readable = name != nullptr && size >= least_size_of(AF_UNSPEC) && size >= least_size_of(name->sa_family) &&
                          size <= static_cast<int>(socket_address::capacity());
    if (!readable) {
        ec = refusal(EFAULT);
        return address;
    }
    std::memcpy(address.data(), name, static_cast<std::size_t>(size));
    address.resize(static_cast<socklen_t>(size));
    return address;
}

/// Whether there is room for an address of `family`. Two null pointers: the caller does not want it.
inline bool has_room(const sockaddr* name, const int* size, int family) noexcept
{
    if (name == nullptr && size == nullptr) return true;
    return name != nullptr && size != nullptr && *size >= least_size_of(family);
}

/// Gives an address out; `size` becomes the address's size. @pre has_room
inline void write_address(const socket_address& address, sockaddr* name, int* size) noexcept
{
    if (name == nullptr || size == nullptr) return;
    const auto full = static_cast<int>(address.size());
    std::memcpy(name, address.data(), static_cast<std::size_t>(std::min(*size, full)));
    *size = full;
}

inline std::span<const std::byte> bytes_of(const char* buffer, int size) noexcept
{
    return {reinterpret_cast<const std::byte*>(buffer), static_cast<std::size_t>(size)};
}
inline std::span<std::byte> bytes_of(char* buffer, int size) noexcept
{
    return {reinterpret_cast<std::byte*>(buffer), static_cast<std::size_t>(size)};
}

/// An address of the internet families without a chosen port: "not bound" in Winsock's words.
inline bool names_nobody(const socket_address& address) noexcept
{
    return (address.family() == AF_INET || address.family() == AF_INET6) && address.port() == 0;
}

} // namespace sharedsock::winsock::detail
