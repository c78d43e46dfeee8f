// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "winsock/address_use.hpp"

#include "attach/handle.hpp"
#include "winsock/arguments.hpp"

#include <cerrno>
#include <memory>
#include <system_error>

#include <sys/socket.h>

namespace sharedsock::winsock::detail::address_use {
namespace {

namespace core = sharedsock::detail;

core::atomic_u32* asked_use(const shared_socket& socket) noexcept
{
    return socket.impl() != nullptr ? &socket.impl()->slot().asked_use : nullptr;
}

std::uint32_t asked(const shared_socket& socket) noexcept
{
    const core::atomic_u32* const word = asked_use(socket);
    return word != nullptr ? word->load() : 0;
}

bool has_ports(const shared_socket& socket) noexcept
{
    return (socket.family() == AF_INET || socket.family() == AF_INET6) &&
           (socket.type() == SOCK_STREAM || socket.type() == SOCK_DGRAM);
}

void set_kernel_reuse(shared_socket& socket, bool on, error_code& ec)
{
    const int value = on ? 1 : 0;
    socket.set_option(SOL_SOCKET, SO_REUSEADDR, &value, sizeof value, ec);
}

bool kernel_reuse(const shared_socket& socket, error_code& ec)
{
    int value = 0;
    socket.get_option(SOL_SOCKET, SO_REUSEADDR, &value, sizeof value, ec);
    return value != 0;
}

// Sets one of the two options, for all handles, unless the other one is on.
void set_asked(shared_socket& socket, std::uint32_t mine, std::uint32_t other, bool on, error_code& ec)
{
    core::atomic_u32* const word = asked_use(socket);
    if (word == nullptr) return;
    std::uint32_t before = word->load();
    do {
        if (on && (before & other) != 0) {
            ec = refusal(EINVAL);
            return;
        }
    } while (!word->compare_exchange_weak(before, known | (on ? before | mine : before & ~mine)));
}

} // namespace

void begin(shared_socket& made) noexcept
{
    if (core::atomic_u32* const word = asked_use(made); word != nullptr) word->fetch_or(known);
}

bool reuses(const shared_socket& socket, error_code& ec)
{
    const std::uint32_t use = asked(socket);
    return (use & known) != 0 ? (use & reuse) != 0 : kernel_reuse(socket, ec);
}

bool is_exclusive(const shared_socket& socket) noexcept { return (asked(socket) & exclusive) != 0; }

void set_reuse(shared_socket& socket, bool on, error_code& ec)
{
    set_asked(socket, reuse, exclusive, on, ec);
    if (!ec) set_kernel_reuse(socket, on, ec);
}

void set_exclusive(shared_socket& socket, bool on, error_code& ec)
{
    if (on && has_ports(socket) && has_address(socket, ec) && !ec) ec = refusal(EINVAL);
    if (!ec) set_asked(socket, exclusive, reuse, on, ec);
}

void bind(shared_socket& socket, const socket_address& address, error_code& ec)
{
    if (!has_ports(socket)) {
        socket.bind(address, ec);
        return;
    }
    const bool stream = socket.type() == SOCK_STREAM;
    const bool wanted = reuses(socket, ec);
    // A port that the kernel chooses is a free one, whatever the program asked.
    const bool during = address.port() != 0 && (stream || wanted);
    const bool after  = stream ? wanted : !is_exclusive(socket); // a later socket may reuse a datagram socket's port, if it asks
    if (!ec) set_kernel_reuse(socket, during, ec);
    if (ec) return;
    socket.bind(address, ec);
    if (ec == std::errc::address_in_use && wanted) ec = refusal(EACCES);
    error_code ignored;
    set_kernel_reuse(socket, ec ? wanted : after, ignored);
    if (!ec) asked_use(socket)->fetch_or(bound);
}

void listen(shared_socket& socket, int backlog, error_code& ec)
{
    const bool wanted = has_ports(socket) && reuses(socket, ec);
    if (!ec && has_ports(socket) && !wanted) set_kernel_reuse(socket, true, ec);
    if (ec) return;
    socket.listen(backlog, ec);
    error_code ignored;
    if (ec && has_ports(socket) && !wanted) set_kernel_reuse(socket, false, ignored);
}

bool has_address(const shared_socket& socket, error_code& ec)
{
    if (!has_ports(socket) || (asked(socket) & bound) != 0) return true;
    const socket_address own = socket.local_address(ec);
    if (ec || names_nobody(own)) return false;
    asked_use(socket)->fetch_or(bound);
    return true;
}

} // namespace sharedsock::winsock::detail::address_use
