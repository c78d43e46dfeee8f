// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/socket_address.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace sharedsock {

namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

// A copy of its own type: the compiler may assume that bytes of another type are not meant.
template <class Address>
Address copy_of(const socket_address& address)
{
    Address copy{};
    std::memcpy(&copy, address.data(), std::min<std::size_t>(sizeof copy, address.size()));
    return copy;
}

template <class Address>
socket_address made_of(const Address& address)
{
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

bool is_ipv4(const socket_address& address) { return address.family() == AF_INET && address.size() >= sizeof(sockaddr_in); }

bool is_ipv6(const socket_address& address) { return address.family() == AF_INET6 && address.size() >= sizeof(sockaddr_in6); }

std::string ip_text(int family, const void* bytes)
{
    char text[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(family, bytes, text, sizeof text);
    return text;
}

std::string ipv6_text(const sockaddr_in6& address)
{
    std::string text = ip_text(AF_INET6, &address.sin6_addr);
    if (address.sin6_scope_id != 0) {
        text += "%" + std::to_string(address.sin6_scope_id);
    }
    return text;
}

std::string local_text(const socket_address& address)
{
    if (address.size() <= path_offset) {
        return "unnamed";
    }
    const auto local       = copy_of<sockaddr_un>(address);
    const std::size_t size = std::min<std::size_t>(address.size(), sizeof local) - path_offset;
    if (local.sun_path[0] != '\0') {
        return {local.sun_path, ::strnlen(local.sun_path, size)};
    }
    std::string name(local.sun_path, size);
    std::replace(name.begin(), name.end(), '\0', '@'); // as /proc/net/unix shows it
    return name;
}

} // namespace

socket_address socket_address::loopback(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family      = AF_INET;
    address.sin_port        = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return made_of(address);
}

socket_address socket_address::loopback_v6(std::uint16_t port)
{
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port   = htons(port);
    address.sin6_addr   = in6addr_loopback;
    return made_of(address);
}

socket_address socket_address::local(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        throw std::length_error("sharedsock::socket_address::local: longer than 107 bytes");
    }
    if (path.find('\0', 1) != std::string::npos && path[0] != '\0') {
        throw std::invalid_argument("sharedsock::socket_address::local: a zero byte inside of a path");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    const std::size_t final_zero = path.empty() || path[0] == '\0' ? 0 : 1; // the kernel counts the final zero of a path
    return {reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(path_offset + path.size() + final_zero)};
}

std::uint16_t socket_address::port() const noexcept
{
    if (is_ipv4(*this)) {
        return ntohs(copy_of<sockaddr_in>(*this).sin_port);
    }
    return is_ipv6(*this) ? ntohs(copy_of<sockaddr_in6>(*this).sin6_port) : std::uint16_t{0};
}

std::string to_string(const socket_address& address)
{
    if (is_ipv4(address)) {
        const auto ip = copy_of<sockaddr_in>(address);
        return ip_text(AF_INET, &ip.sin_addr) + ":" + std::to_string(address.port());
    }
    if (is_ipv6(address)) {
        return "[" + ipv6_text(copy_of<sockaddr_in6>(address)) + "]:" + std::to_string(address.port());
    }
    if (address.family() == AF_UNIX) {
        return local_text(address);
    }
    return address.family() == AF_UNSPEC ? "unnamed" : "family " + std::to_string(address.family());
}

} // namespace sharedsock
