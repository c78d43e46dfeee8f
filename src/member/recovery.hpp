// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

namespace sharedsock::detail {

class membership;

/// Ends all that the process at index `dead` had: its handles and tickets, its registrations and deliveries, its locks, the slots
/// that it was building. The caller holds the kernel's lock on the byte of that index, so no other process sweeps it.
///
/// Idempotent, and no step depends on how far the dead process had come: there is no journal and no case for each point of death.
/// If a sweeper dies, the next one begins anew. The price is at most one event too many.
///
/// False if a lock could not be had because its holder is stopped: the rest is for the next sweep.
bool sweep(membership& self, std::uint32_t dead) noexcept;

} // namespace sharedsock::detail
