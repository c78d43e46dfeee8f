// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include <sys/socket.h>

namespace sharedsock {

/// The common part of `boost::asio::ip::tcp::endpoint`, `…::udp::endpoint` and `…::local::…::endpoint`.
template <class Type>
concept endpoint_like = requires(const Type& constant, Type& variable, std::size_t size)
{
    {
        constant.data()
        } -> std::convertible_to<const void*>;
    {
        constant.size()
        } -> std::convertible_to<std::size_t>;
    {
        constant.capacity()
        } -> std::convertible_to<std::size_t>;
    variable.resize(size);
    constant.protocol();
};

/// Any socket address: a `sockaddr` of up to `sizeof(sockaddr_storage)` bytes, to and from Asio's endpoints.
class socket_address {
public:
    socket_address() noexcept = default; ///< no address: size 0

    socket_address(const sockaddr* address, socklen_t size) : size_(size)
    {
        if (size > sizeof storage_) throw std::length_error("sharedsock::socket_address: larger than sockaddr_storage");
        if (size > 0) std::memcpy(&storage_, address, size);
    }

    template <endpoint_like Endpoint>
    socket_address(const Endpoint& endpoint) // NOLINT(google-explicit-constructor): an endpoint is an address
        : socket_address(reinterpret_cast<const sockaddr*>(endpoint.data()), static_cast<socklen_t>(endpoint.size()))
    {}

    /// As an Asio endpoint. Throws the exception of the endpoint's `resize` if the endpoint is too small for this address.
    template <endpoint_like Endpoint>
    Endpoint as() const
    {
        Endpoint endpoint;
        endpoint.resize(size_); // throws before a byte is copied
        std::memcpy(endpoint.data(), &storage_, std::min<std::size_t>(size_, endpoint.capacity()));
        endpoint.resize(size_); // a local endpoint looks for the final zero among the bytes
        return endpoint;
    }

    static socket_address loopback(std::uint16_t port);    ///< 127.0.0.1:port
    static socket_address loopback_v6(std::uint16_t port); ///< [::1]:port
    /// An AF_UNIX path name of up to 107 bytes, or an abstract name if it starts with a zero byte. Throws `std::length_error`,
    /// or `std::invalid_argument` for a zero byte inside of a path.
    static socket_address local(const std::string& path);

    const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage_); }
    socklen_t size() const noexcept { return size_; }
    void resize(socklen_t size) noexcept { size_ = size; }
    static constexpr socklen_t capacity() noexcept { return sizeof(sockaddr_storage); }

    int family() const noexcept { return size_ >= sizeof(sa_family_t) ? storage_.ss_family : AF_UNSPEC; }
    std::uint16_t port() const noexcept; ///< of an AF_INET or AF_INET6 address, else 0

    /// Byte by byte. The kernel counts the final zero of a path name, as `local` does; Asio's endpoints do not.
    friend bool operator==(const socket_address& a, const socket_address& b) noexcept
    {
        return a.size_ == b.size_ && std::memcmp(&a.storage_, &b.storage_, a.size_) == 0;
    }

private:
    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

/// "127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80", "/path", "@abstract", "unnamed"; "family 16" for an unknown family.
std::string to_string(const socket_address& address);

} // namespace sharedsock
