// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/ranked_mutex.hpp"
#include "winsock/failure.hpp"
#include "winsock/number_table.hpp"

#include <sharedsock/event_object.hpp>
#include <sharedsock/network_event.hpp>
#include <sharedsock/segment.hpp>
#include <sharedsock/shared_socket.hpp>
#include <sharedsock/winsock/types.hpp>

#include <cstdint>
#include <memory>

namespace sharedsock::winsock::detail {

class window;

/// Winsock's state in a process: the one state of this layer. Made at the first use and never destroyed, because calls may
/// come as late as the destructors of a program's static objects.
///
/// No thread calls the library while it holds `mutex`: the fork hook here takes it before the library's hook takes the library's
/// locks.
struct layer {
    sharedsock::detail::ranked_mutex<sharedsock::detail::lock_rank::winsock_layer> mutex; // guards the members below
    unsigned startups = 0;                                                                // WSAStartup's count
    segment where;                                                                        // attached to something if startups > 0
    number_table<shared_socket> sockets;
    number_table<event_object> events;
    number_table<window> windows;
    std::shared_ptr<void> server;      // the thread that answers for tickets of processes that are yet to attach
    std::uint64_t server_instance = 0; // process_instance() of the process that has that thread; not its forked child's
};

layer& the_layer();

/// The library's handle behind a SOCKET. Null, and the thread's last error set: WSANOTINITIALISED, WSAENOTSOCK.
std::shared_ptr<shared_socket> find_socket(SOCKET s);

/// A SOCKET for a handle; INVALID_SOCKET if no number is left, which closes the handle.
SOCKET enter_socket(shared_socket&& socket);

/// The attachment; of nothing, and the thread's last error set to WSANOTINITIALISED, without WSAStartup.
segment attached_segment();

/// FD_… bits as the library's. Bits outside the ten become a mask that the library refuses.
constexpr network_event network_event_mask(long bits) noexcept
{
    return (bits & ~0x3FFL) == 0 ? static_cast<network_event>(bits) : ~network_event::none;
}

/// A call through the handle behind `s`: 0, or SOCKET_ERROR with the reason in the thread's last error.
template <class Call>
int through(SOCKET s, Call call) noexcept
{
    return guarded(SOCKET_ERROR, [&] {
        const std::shared_ptr<shared_socket> socket = find_socket(s);
        if (socket == nullptr) return SOCKET_ERROR;
        error_code ec;
        call(*socket, ec);
        return ec ? fail(ec) : 0;
    });
}

} // namespace sharedsock::winsock::detail
