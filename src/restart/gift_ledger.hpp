// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/hand_over.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace sharedsock::restart::detail {

using sharedsock::detail::unique_fd;
using clock      = std::chrono::steady_clock;
using time_point = clock::time_point;

/// One connection on its way: the predecessor keeps all of it until the successor has answered.
struct gift_entry {
    std::uint64_t number = 0;
    std::uint64_t tag    = 0;
    std::size_t size     = 0; ///< of the carry
    unique_fd socket;
    std::vector<std::byte> bytes; ///< the carry, if it is short
    unique_fd memory;             ///< the carry, if it is long
    time_point since{};           ///< when it was given
};

/// The gifts without an answer, in the order in which they were given. Decides; makes no system call.
class gift_ledger {
public:
    gift_ledger(std::size_t most, std::size_t most_bytes) noexcept : most_(most), most_bytes_(most_bytes) {}

    bool has_room(std::size_t size) const noexcept
    {
        return entries_.empty() || (entries_.size() < most_ && bytes_ + size <= most_bytes_);
    }
    std::size_t count() const noexcept { return entries_.size(); }
    bool empty() const noexcept { return entries_.empty(); }

    /// Enters it, under the next number.
    gift_entry& add(gift_entry one)
    {
        one.number = next_;
        entries_.push_back(std::move(one));
        ++next_;
        bytes_ += entries_.back().size;
        return entries_.back();
    }
    /// The successor has answered: the gift leaves the ledger. Nothing: there is none of this number.
    std::optional<gift_entry> answered(std::uint64_t number)
    {
        for (auto at = entries_.begin(); at != entries_.end(); ++at) {
            if (at->number != number) continue;
            gift_entry one = std::move(*at);
            entries_.erase(at);
            bytes_ -= one.size;
            return one;
        }
        return {};
    }
    /// The one of this number, and the one that was given first; null if there is none.
    gift_entry* find(std::uint64_t number) noexcept
    {
        for (gift_entry& one : entries_)
            if (one.number == number) return &one;
        return nullptr;
    }
    gift_entry* first() noexcept { return entries_.empty() ? nullptr : &entries_.front(); }
    /// When the gift that has waited longest was given.
    std::optional<time_point> oldest() const noexcept
    {
        if (entries_.empty()) return {};
        return entries_.front().since;
    }

private:
    std::size_t most_;
    std::size_t most_bytes_;
    std::deque<gift_entry> entries_;
    std::size_t bytes_  = 0;
    std::uint64_t next_ = 1;
};

} // namespace sharedsock::restart::detail
