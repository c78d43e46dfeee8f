// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/network_event.hpp>
#include <sharedsock/process_id.hpp>

#include <chrono>
#include <cstdint>

namespace sharedsock {

/// How the owner of a registration learns of events.
enum class registration_kind : std::uint8_t {
    unknown      = 0, ///< the registration is being made at this very moment
    event_select = 1, ///< an event object of its process
    async_select = 2, ///< a handler on an executor of its process
    operations   = 3, ///< the pending operations of an Asio object (`stream`, `datagram`, `acceptor`)
};

/// A socket's one event registration, as every process sees it (G1, REG-2, REG-10).
struct registration_info {
    process_id owner;           ///< the process that owns the events
    std::uint64_t handle   = 0; ///< `shared_socket::handle_id()` of the handle that registered
    registration_kind kind = registration_kind::unknown;
    network_event mask     = network_event::none;
    std::uint32_t epoch    = 0;     ///< counts the registrations and cancellations of this socket, modulo 2^24
    std::uint64_t since_ns = 0;     ///< CLOCK_REALTIME, nanoseconds since the epoch; for people
    bool delivering        = false; ///< an event is being delivered at this moment, by this or a former owner
};

/// Choices of a registration that Winsock does not have.
struct select_options {
    /// Signal the event object (or call the handler) once when another registration, a cancellation or a close through
    /// another handle ends this one (G3). Off: Winsock's silence (REG-10). The handle then collects only what is recorded for its
    /// own registration, and nothing for that of the new owner (ENUM-10).
    bool tell_loss = false;

    /// How long to wait for the old owner's delivery to end before the call gives up with `errc::fence_pending` (G2).
    std::chrono::nanoseconds fence_limit = std::chrono::milliseconds(100);
};

} // namespace sharedsock
