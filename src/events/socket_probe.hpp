// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "events/detector.hpp"

#include <optional>

namespace sharedsock::detail {

/// Asks the kernel and the slot what `detect` wants to know of a socket, through any of its descriptors: one poll(2), and
/// further calls only where its answer leaves something open. What the kernel says only once (SO_ERROR, the outcome of a
/// connect) is put into the slot on the way, for everybody (STATE-8, STATE-9).
///
/// `shown`: what epoll(7) has just reported for `epoll_interest(mask)`, in the place of the poll(2); it is all that `mask` needs.
observation observe(int descriptor, socket_slot& slot, std::uint32_t mask,
                    std::optional<std::uint32_t> shown = std::nullopt) noexcept;

/// What is true of the socket now and may be delivered under `word`: observes, and puts what must not be lost into the slot.
detection look_at(int descriptor, socket_slot& slot, const registration_word& word,
                  std::optional<std::uint32_t> shown = std::nullopt) noexcept;

} // namespace sharedsock::detail
