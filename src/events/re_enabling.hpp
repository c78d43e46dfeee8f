// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"
#include "layout/registration_word.hpp"

#include <atomic>
#include <cstdint>

namespace sharedsock::detail {

/// The calls that re-enable events, and the events that each of them re-enables (EVT-2). The data path checks them with one
/// atomic load.
inline constexpr std::uint32_t receive_events = 0b000101; // READ, OOB
inline constexpr std::uint32_t send_events    = 0b000010; // WRITE
inline constexpr std::uint32_t accept_events  = 0b001000; // ACCEPT
inline constexpr std::uint32_t connect_events =
    0b010010;                                          // CONNECT, WRITE: a new attempt to connect re-enables both (EVT-10, EVT-16)
inline constexpr std::uint32_t close_event = 0b100000; // CLOSE

/// Whether the registration waits for a call that re-enables `events`: one that it nominated is disarmed, or, for a receive, CLOSE
/// waits for the program to read the data (EVT-19).
inline bool waits_for(const socket_slot& slot, std::uint32_t events) noexcept
{
    const registration_word word = registration_word::decode(slot.registration.load(std::memory_order_acquire));
    if (!word.owned()) return false;
    if ((word.mask & ~word.armed & events) != 0) return true;
    return (events & receive_events) != 0 && (word.armed & close_event) != 0 &&
           (slot.flags.load(std::memory_order_relaxed) & flag_peer_ended) != 0;
}

/// This process has received, sent or accepted through `h` while an event waited for that: re-enables `events` for the owner, in
/// this process or another (EVT-3).
void re_enable(handle& h, std::uint32_t events);
/// This process has received all the data through `h`: re-enables the events of a receive for the owner. An owner in this process
/// looks only if it has missed an event.
void re_enable_after_all(handle& h);
/// This process has changed the socket's state such that one of `events` may be due: an owner that has nominated it looks.
void call_owner(handle& h, std::uint32_t events);

} // namespace sharedsock::detail
