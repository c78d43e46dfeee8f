// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/table_view.hpp"

namespace sharedsock::detail::process_table {

/// The indexes to try in attaching, one after the other: first those never used or detached, lowest first; then all, whose
/// process may be dead. The kernel's lock on the byte decides. Others attach, die and are swept meanwhile, so how far it has
/// come is kept here, and not told from the table.
class candidates {
public:
    explicit candidates(const tables& bytes) noexcept : bytes_(bytes) {}
    std::uint32_t next() noexcept; ///< `no_index` at the end

private:
    const tables& bytes_;
    bool unused_only_   = true;
    std::uint32_t from_ = 0;
};

/// Begins the tenancy of `index`, whose byte this process holds: to attach, or only to sweep the dead. The new generation is
/// published before anything is done in its name; from then on a lock of the dead predecessor is nobody's, for everybody. If
/// `unswept` in the answer is set, the predecessor must be swept before the tenancy counts.
process_life begin(tables& bytes, std::uint32_t index) noexcept;

/// The predecessor was swept: the tenancy counts.
void settled(tables& bytes, std::uint32_t index) noexcept;

/// The tenancy ends (detach), or a dead tenant was swept. The generation stays.
void end(tables& bytes, std::uint32_t index) noexcept;

/// The handle records to look at become `handles_in_sweep`, which stays until the sweep is complete, whoever completes it.
void begin_sweep(process_record& record) noexcept;
/// Whether there may be something to sweep: a tenant, or a ticket that came when the last one was being swept.
bool may_need_sweep(const process_record& record) noexcept;

/// Whether `generation` (of which only the low `bits` are known) is the tenant of `index`.
bool is_tenant(const tables& bytes, std::uint32_t index, std::uint32_t generation, std::uint32_t mask = 0xffff'ffff) noexcept;

} // namespace sharedsock::detail::process_table
