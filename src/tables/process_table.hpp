// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/table_view.hpp"

#include <cstdint>

namespace sharedsock::detail::process_table {

/// The indexes to try in attaching, one after the other: first those never used or detached, lowest first; then all, whose
/// process may be dead. The kernel's lock on the byte decides. Other processes attach, die and are swept meanwhile, so the position
/// is kept here, and not derived from the table.
class candidates {
public:
    explicit candidates(const table_view& bytes) noexcept : bytes_(bytes) {}
    std::uint32_t next() noexcept; ///< `no_index` at the end

private:
    const table_view& bytes_;
    bool unused_only_   = true;
    std::uint32_t from_ = 0;
};

/// Begins an incarnation of `index`, whose byte this process holds: to attach, or only to sweep the dead. The new generation is
/// published before any action in its name; from then on no process believes that the dead predecessor still holds a lock. If
/// `unswept` is set in the result, the predecessor must be swept before the incarnation counts.
process_life begin(table_view& bytes, std::uint32_t index) noexcept;

/// The predecessor was swept: the incarnation counts.
void settled(table_view& bytes, std::uint32_t index) noexcept;

/// The incarnation ends (detach), or a dead one was swept. The generation stays.
void end(table_view& bytes, std::uint32_t index) noexcept;

/// Moves the handle records to look at into `handles_in_sweep`, which stays until a sweep, by any process, is complete.
void begin_sweep(process_record& record) noexcept;
/// Whether there may be something to sweep: an incarnation, or a ticket that came while the last one was being swept.
bool may_need_sweep(const process_record& record) noexcept;

/// Whether `generation` (of which only the low bits in `mask` are known) is the present incarnation of `index`.
bool is_incarnation(const table_view& bytes, std::uint32_t index, std::uint32_t generation,
                    std::uint32_t mask = 0xffff'ffff) noexcept;

} // namespace sharedsock::detail::process_table
