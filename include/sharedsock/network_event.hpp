// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace sharedsock {

/// The ten network events of Winsock, as bits of a mask. Values are Winsock's FD_… bits.
enum class network_event : std::uint32_t {
    none      = 0,
    read      = 1u << 0, ///< data to receive (EVT-8); re-enabled by any receive call
    write     = 1u << 1, ///< room to send: an edge (EVT-10, EVT-11); re-enabled by a send that would block or is short
    oob       = 1u << 2, ///< urgent data (EVT-13); re-enabled by any receive call
    accept    = 1u << 3, ///< a connection waits (EVT-15); re-enabled by accept
    connect   = 1u << 4, ///< the outcome of a connect is known (EVT-16); carries its error
    close     = 1u << 5, ///< the peer has ended the connection (EVT-18); carries its error
    qos       = 1u << 6, ///< accepted, never recorded (EVT-24)
    group_qos = 1u << 7, ///< accepted, never recorded (EVT-24)
    routing_interface_change = 1u << 8, ///< routes have changed: once after each `shared_socket::request_change` (EVT-25)
    address_list_change      = 1u << 9, ///< this host's addresses have changed, once after each `request_change` (EVT-25)
    all                      = (1u << 10) - 1,
};

constexpr network_event operator|(network_event a, network_event b) noexcept
{
    return static_cast<network_event>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr network_event operator&(network_event a, network_event b) noexcept
{
    return static_cast<network_event>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}
constexpr network_event operator~(network_event a) noexcept { return static_cast<network_event>(~static_cast<std::uint32_t>(a)); }
constexpr network_event& operator|=(network_event& a, network_event b) noexcept { return a = a | b; }
constexpr network_event& operator&=(network_event& a, network_event b) noexcept { return a = a & b; }
constexpr bool any(network_event mask) noexcept { return mask != network_event::none; }

/// "read|close", or "none".
std::string to_string(network_event mask);

/// The loss of a registration to another registration, a cancellation or a close; and the present owner of the events.
struct registration_loss {
    std::uint32_t epoch = 0; ///< of the registration that was lost
    process_id owner;        ///< owns the socket's events now; none if the registration was cancelled
};

/// The result of `enum_network_events`: the events since the last collection, each with its error (WSANETWORKEVENTS).
struct network_events {
    network_event occurred = network_event::none;
    std::optional<registration_loss> lost; ///< set once, and only if `select_options::tell_loss` was set (REG-10, G3)

    bool has(network_event one) const noexcept { return any(occurred & one); }
    explicit operator bool() const noexcept { return any(occurred); }

    /// The error that came with one event that occurred; success for all others (ENUM-5, EVT-26).
    error_code error(network_event one) const noexcept;

    std::array<int, 10> errors{}; ///< errno values, by bit number; meaningful only for events that occurred
};

/// The argument of an `async_select` handler: one event (ASYNC-1, ASYNC-2), or the loss of the registration.
struct event_message {
    std::uint64_t socket = 0;                   ///< `shared_socket::id()` of the registered socket
    network_event event  = network_event::none; ///< exactly one bit; none if the registration was lost
    error_code error;                           ///< the event's error; `errc::registration_cancelled` for a loss
    std::uint32_t epoch = 0;                    ///< of the registration that delivers
};

} // namespace sharedsock
