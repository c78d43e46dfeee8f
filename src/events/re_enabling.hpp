// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"
#include "layout/registration_word.hpp"

#include <atomic>
#include <cstdint>

namespace sharedsock::detail {

/// The calls that an event may wait for, and the events that wait for them (EVT-2). The data path asks with one atomic load.
inline constexpr std::uint32_t receive_events = 0b000101; // READ, OOB
inline constexpr std::uint32_t send_events    = 0b000010; // WRITE
inline constexpr std::uint32_t accept_events  = 0b001000; // ACCEPT
inline constexpr std::uint32_t connect_events =
    0b010010;                                          // CONNECT, WRITE: what a new attempt to connect begins anew (EVT-10, EVT-16)
inline constexpr std::uint32_t close_event = 0b100000; // CLOSE

/// Whether the registration waits for a receive: an event of it is disarmed, or CLOSE waits for the data to be read (EVT-19).
inline bool waits_for(const socket_slot& slot, std::uint32_t events) noexcept
{
    const registration_word word = registration_word::decode(slot.registration.load(std::memory_order_acquire));
    if (!word.owned()) return false;
    if ((word.mask & ~word.armed & events) != 0) return true;
    return (events & receive_events) != 0 && (word.armed & close_event) != 0 &&
           (slot.flags.load(std::memory_order_relaxed) & flag_peer_ended) != 0;
}

/// A receive, send or accept of this process has been made through `h` while an event waits for such a call: re-enables `events` for
/// the owner, in this process or another (EVT-3).
void re_enable(handle& h, std::uint32_t events);
/// The same after a receive that has taken all the data there was.
void re_enable_after_all(handle& h);
/// This process changed the socket's state such that one of `events` may be due: if the owner has nominated it, it looks.
void call_owner(handle& h, std::uint32_t events);

} // namespace sharedsock::detail
