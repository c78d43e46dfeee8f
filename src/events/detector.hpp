// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/socket_table.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// The events by bit number, as in a mask, an event record and a registration word.
inline constexpr std::uint32_t ev_read    = 1u << 0;
inline constexpr std::uint32_t ev_write   = 1u << 1;
inline constexpr std::uint32_t ev_oob     = 1u << 2;
inline constexpr std::uint32_t ev_accept  = 1u << 3;
inline constexpr std::uint32_t ev_connect = 1u << 4;
inline constexpr std::uint32_t ev_close   = 1u << 5;
// Changes of the network, not of a socket: `detect` cannot see them (EVT-25).
inline constexpr std::uint32_t ev_routing_change = 1u << 8;
inline constexpr std::uint32_t ev_address_change = 1u << 9;
inline constexpr std::uint32_t ev_changes        = ev_routing_change | ev_address_change;

/// The kernel's and the slot's view of a socket at one moment: the input of `detect`.
struct observation {
    short revents       = 0;     ///< poll(2): IN, OUT, PRI, RDHUP, ERR, HUP
    bool stream         = true;  ///< connection-oriented
    bool local          = false; ///< AF_UNIX
    bool data           = false; ///< an ordinary receive would return something
    bool oob_inline     = false; ///< SO_OOBINLINE
    bool urgent_kept    = false; ///< an urgent byte is kept in the slot (EVT-14)
    bool peer_end       = false; ///< TCP after a local shutdown of receiving: its state says that the peer has ended
    bool bound          = true;  ///< datagram: has a local address (EVT-12)
    std::uint32_t flags = 0;     ///< slot_flag bits
    connect_phase phase = connect_phase::none;
    int connect_error   = 0; ///< of a failed attempt
    int terminal_error  = 0; ///< errno that ended the connection
};

/// The network events that `detect` finds in an observation.
struct detection {
    std::uint32_t happened = 0; ///< events whose condition holds now
    int connect_error      = 0;
    int close_error        = 0;
    bool peer_ended        = false; ///< the peer's end is known, though CLOSE may have to wait for the data before it (EVT-19)
};

/// Turns an observation into the network events whose condition holds. A pure function: the table of its cases is
/// tests/unit/detector_test.cpp. `mask`: the events that the registration nominates; it matters for EVT-19 to EVT-21 alone.
detection detect(const observation& seen, std::uint32_t mask) noexcept;

/// The epoll(7) interest that shows every change by which an event of `mask` could occur, and all bits that `detect` needs for a
/// socket that is not connecting.
std::uint32_t epoll_interest(std::uint32_t mask) noexcept;

} // namespace sharedsock::detail
