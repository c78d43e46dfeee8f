// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables.hpp"

namespace sharedsock::detail::process_table {

/// The index to try next in attaching, after `previous` (`no_index` to begin): first those never used or detached, lowest
/// first; then those in use, whose process may be dead. `no_index` at the end. The kernel's lock on the byte decides.
std::uint32_t next_candidate(const tables& bytes, std::uint32_t previous) noexcept;

/// Begins the tenancy of `index`, whose byte this process holds. The new generation is published before anything is done in
/// its name. If `unswept` in the answer is set, the predecessor must be swept before the tenancy counts.
process_life begin(tables& bytes, std::uint32_t index) noexcept;

/// The predecessor was swept: the tenancy counts.
void settled(tables& bytes, std::uint32_t index) noexcept;

/// The tenancy ends (detach), or a dead tenant was swept. The generation stays.
void end(tables& bytes, std::uint32_t index) noexcept;

/// Whether `generation` (of which only the low `bits` are known) is the tenant of `index`.
bool is_tenant(const tables& bytes, std::uint32_t index, std::uint32_t generation, std::uint32_t mask = 0xffff'ffff) noexcept;

} // namespace sharedsock::detail::process_table
