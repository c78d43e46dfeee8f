// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "events/detector.hpp"

#include <cstdint>
#include <optional>

namespace sharedsock::detail {

/// The socket probe: reads from the kernel and the slot what `detect` needs to know of a socket, through any of its descriptors.
/// One poll(2), and further calls only if its answer leaves something open. Values that the kernel reports only once (SO_ERROR, the
/// result of a connect) go into the slot, for all processes (STATE-8, STATE-9).
///
/// `shown`: the bits that epoll(7) has just reported for `epoll_interest(mask)`; they save the poll(2), for `mask` needs no others.
observation observe(int descriptor, socket_slot& slot, std::uint32_t mask,
                    std::optional<std::uint32_t> shown = std::nullopt) noexcept;

/// The events that have occurred on the socket and may be delivered under `word`: observes, and notes a seen end of the peer in the
/// slot.
detection look_at(int descriptor, socket_slot& slot, const registration_word& word,
                  std::optional<std::uint32_t> shown = std::nullopt) noexcept;

} // namespace sharedsock::detail
