// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// The requests for one event at the next change of one kind (EVT-25): one word of the slot, changed by compare-and-swap only.
///
///     requested:16 | answered:16
///
/// Counts, not a flag: a request that comes while the owner answers an earlier one stays open. An owner that dies between the
/// report and its change of this word leaves the request open for the next owner, which may report once too often but never too
/// little.
struct change_word {
    std::uint32_t requested = 0;
    std::uint32_t answered  = 0;

    static constexpr change_word decode(std::uint32_t bits) noexcept { return {bits >> 16, bits & 0xffff}; }
    constexpr std::uint32_t encode() const noexcept { return requested << 16 | answered; }
    friend bool operator==(const change_word&, const change_word&) = default;

    constexpr bool open() const noexcept { return requested != answered; }

    /// After one more request. If 65 535 are open, the new one is not counted: it would close them all.
    constexpr change_word with_request() const noexcept
    {
        const std::uint32_t next = (requested + 1) & 0xffff;
        return next == answered ? *this : change_word{next, answered};
    }
    /// After a report that answers all requests that were open in `then`; unchanged if another report has answered them since.
    constexpr change_word answering(const change_word& then) const noexcept
    {
        return answered == then.answered ? change_word{requested, then.requested} : *this;
    }
};

template <class Move>
void change_requests(atomic_u32& cell, Move move) noexcept
{
    std::uint32_t seen = cell.load();
    while (!cell.compare_exchange_weak(seen, move(change_word::decode(seen)).encode())) {
    }
}

inline change_word load_requests(const atomic_u32& cell) noexcept { return change_word::decode(cell.load()); }

} // namespace sharedsock::detail
