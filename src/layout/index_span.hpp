// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"

#include <algorithm>
#include <cstdint>

namespace sharedsock::detail {

/// From the lowest to the highest index that may be in use: where a sweep or a repair has to look. It only grows while it counts,
/// and it grows *before* the record at the index is taken: a process that dies in between leaves it too large, never too small.
///
///     end:32 | first:32          all zero: empty
struct index_span {
    std::uint32_t first = 0;
    std::uint32_t end   = 0; ///< one behind the last

    static constexpr index_span decode(std::uint64_t bits) noexcept
    {
        return {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)};
    }
    constexpr std::uint64_t encode() const noexcept { return std::uint64_t{end} << 32 | first; }
    friend bool operator==(const index_span&, const index_span&) = default;

    constexpr bool empty() const noexcept { return first >= end; }
    constexpr bool contains(std::uint32_t index) const noexcept { return first <= index && index < end; }
    constexpr index_span widened(const index_span& other) const noexcept
    {
        if (other.empty()) return *this;
        if (empty()) return other;
        return {std::min(first, other.first), std::max(end, other.end)};
    }
    /// The span without the part beyond a table's end: the bytes may be damaged.
    constexpr index_span within(std::uint32_t count) const noexcept { return {first, std::min(end, count)}; }
};

inline index_span load_span(const atomic_u64& cell) noexcept { return index_span::decode(cell.load()); }

inline void widen(atomic_u64& cell, const index_span& by) noexcept
{
    std::uint64_t seen = cell.load();
    for (;;) {
        const index_span now = index_span::decode(seen);
        if (now.first <= by.first && by.end <= now.end) return; // the usual case
        if (cell.compare_exchange_weak(seen, now.widened(by).encode())) return;
    }
}
inline void widen(atomic_u64& cell, std::uint32_t index) noexcept { widen(cell, index_span{index, index + 1}); }

} // namespace sharedsock::detail
