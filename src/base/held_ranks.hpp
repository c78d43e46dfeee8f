// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/lock_rank.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <optional>

namespace sharedsock::detail {

/// Counts the locks of each rank that a thread holds, and decides which ones it may take. `ranked_mutex` asks it.
class held_ranks {
public:
    /// The highest rank among the held locks that stand in the way of `wanted`; nothing if it may be taken.
    constexpr std::optional<lock_rank> in_the_way_of(lock_rank wanted) const noexcept
    {
        if (alone_) return count_of(wanted) != 0 && is_unique(wanted) ? std::optional(wanted) : std::nullopt;
        const auto highest = highest_held();
        if (!highest) return std::nullopt;
        const bool in_group = group_ && group_->contains(wanted);
        const bool blocks   = in_group ? *highest > group_->last : *highest >= wanted;
        return blocks ? highest : std::nullopt;
    }
    /// The highest rank that is held at all.
    constexpr std::optional<lock_rank> highest_held() const noexcept
    {
        if (mask_ == 0) return std::nullopt;
        return static_cast<lock_rank>(std::bit_width(mask_) - 1);
    }

    constexpr void taken(lock_rank rank) noexcept
    {
        ++counts_[index(rank)];
        mask_ |= bit(rank);
    }
    constexpr void released(lock_rank rank) noexcept
    {
        if (counts_[index(rank)] == 0) return; // another thread had taken it, as Lockable types allow for robust locks
        if (--counts_[index(rank)] == 0) mask_ &= ~bit(rank);
    }

    /// Until `end_group`, the thread may take locks of the group in any number and order. All callers take them in one order.
    constexpr void begin_group(lock_rank_group group) noexcept { group_ = group; }
    constexpr void end_group() noexcept { group_.reset(); }
    /// Says whether no other thread exists, as in a child that fork(2) has just made: then no order matters, and the thread would
    /// wait for ever only if it took a second lock of a rank that exists once.
    constexpr void set_alone(bool alone) noexcept { alone_ = alone; }

    constexpr std::uint32_t count_of(lock_rank rank) const noexcept { return counts_[index(rank)]; }

private:
    static constexpr unsigned index(lock_rank rank) noexcept { return static_cast<unsigned>(rank); }
    static constexpr std::uint32_t bit(lock_rank rank) noexcept { return 1u << index(rank); }
    static constexpr bool is_unique(lock_rank rank) noexcept
    {
        return rank <= lock_rank::fork_registry || rank == lock_rank::liveness_registry;
    }
    static_assert(lock_rank_count <= 32, "a bit of mask_ each");

    std::array<std::uint32_t, lock_rank_count> counts_{};
    std::uint32_t mask_ = 0; // the ranks whose count is not zero
    std::optional<lock_rank_group> group_;
    bool alone_ = false;
};

} // namespace sharedsock::detail
