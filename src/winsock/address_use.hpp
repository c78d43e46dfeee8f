// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/shared_socket.hpp>
#include <sharedsock/socket_address.hpp>

#include <cstdint>

/// SO_REUSEADDR and SO_EXCLUSIVEADDRUSE as Winsock means them (WSK-2, WSK-3), by the kernel's SO_REUSEADDR. In the kernel two
/// sockets may have one port if both have the option on and neither listens. That is needed for the rests of connections
/// (TIME_WAIT), which keep the option of their connection, and that one its listener's. So a listener always has it on: listening
/// alone keeps others out. A stream socket has it on inside of bind(2), where it means that such rests do not count.
namespace sharedsock::winsock::detail::address_use {

/// The program's settings, common to all handles: `socket_slot::asked_use`.
enum bit : std::uint32_t {
    known     = 1u << 0, ///< a Winsock program has made the socket or set an option; else the kernel's option is the truth
    reuse     = 1u << 1,
    exclusive = 1u << 2,
    bound     = 1u << 3, ///< a hint: the socket was seen to have an address
};

void begin(shared_socket& made) noexcept; ///< a socket of a Winsock program: neither option

bool reuses(const shared_socket& socket, error_code& ec);
bool is_exclusive(const shared_socket& socket) noexcept;

/// WSAEINVAL: the other one is on, or the socket is bound already (to become exclusive).
void set_reuse(shared_socket& socket, bool on, error_code& ec);
void set_exclusive(shared_socket& socket, bool on, error_code& ec);

/// `shared_socket::bind`. WSAEACCES: the program asked to reuse a port that is in exclusive use.
void bind(shared_socket& socket, const socket_address& address, error_code& ec);
/// `shared_socket::listen`.
void listen(shared_socket& socket, int backlog, error_code& ec);

/// Whether the socket has an address; a kind of socket that needs none has one.
bool has_address(const shared_socket& socket, error_code& ec);

} // namespace sharedsock::winsock::detail::address_use
