// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/handle_table.hpp"
#include "tables/table_view.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// Which live slot is that of a kernel's socket, by SO_COOKIE: for a process that got the descriptor by itself (`adopt`).
///
/// A hash table in the slots themselves: each has room for eight entries, which may be those of any sockets. So it has pages
/// wherever it needs them, and no size of its own. The slots from 2^k to 2^(k+1) - 1 are one part of the table, with 2^k places
/// of eight entries. An entry is put into the largest part that has all its pages, or, if there is no room at its place,
/// into the next smaller one, and so on. A search looks at one place of each part, from the largest on: entries stay where they
/// are when the table grows. (Parts that overlapped would have the low slots fill up.)
///
/// An entry is a hint. One compare-and-swap puts it in before the slot goes live, and one takes it out. If a process dies in
/// between, the entry names a use of a slot that has ended, and the next socket that needs the place takes it. A find is
/// compared with the slot. If a socket finds no place at all, which is rare, `cookies_missing` makes each later search
/// that finds nothing look at all slots.
namespace cookie_index {

void add(table_view& bytes, record_id socket, std::uint64_t cookie) noexcept;
void remove(table_view& bytes, record_id socket, std::uint64_t cookie) noexcept;
/// The live slot with that cookie; none if there is none. Exact for each socket whose slot went live before.
record_id find(const table_view& bytes, std::uint64_t cookie) noexcept;

} // namespace cookie_index
} // namespace sharedsock::detail
