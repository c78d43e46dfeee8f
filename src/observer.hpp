// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "detector.hpp"

namespace sharedsock::detail {

/// Asks the kernel and the slot what `detect` wants to know of a socket, through any of its descriptors: one poll(2), and
/// further calls only where its answer leaves something open. What the kernel says only once (SO_ERROR, the outcome of a
/// connect) is put into the slot on the way, for everybody (STATE-8, STATE-9).
observation observe(int descriptor, socket_slot& slot, std::uint32_t mask) noexcept;

} // namespace sharedsock::detail
