// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/robust_lock.hpp"

#include "base/futex.hpp"
#include "base/ranked_mutex.hpp"

#include <algorithm>
#include <cstdint>

namespace sharedsock::detail {
namespace {

constexpr std::uint32_t waiters = 0x8000'0000;
constexpr std::chrono::microseconds first_slice{50}; // a holder that lives is done by then, one that was killed is dead soon after
constexpr std::chrono::microseconds last_slice{5'000}; // often enough to ask about a holder that is stopped

// The locks that this thread holds, so that a second lock by it, from a signal handler, is an error and not a hang. A thread holds
// at most two at a time: a slot's under that of adopting.
thread_local const atomic_u32* held[2] = {};

bool holds(const atomic_u32& word) noexcept { return std::find(std::begin(held), std::end(held), &word) != std::end(held); }
void note(const atomic_u32& word, lock_rank rank, bool on) noexcept
{
    const atomic_u32* const from = on ? nullptr : &word;
    if (auto* const place = std::find(std::begin(held), std::end(held), from); place != std::end(held))
        *place = on ? &word : nullptr;
    if (on)
        lock_ranks::taken(rank);
    else
        lock_ranks::released(rank);
}

} // namespace

bool robust_lock::try_lock() noexcept
{
    std::uint32_t nobody = 0;
    if (!word_.compare_exchange_strong(nobody, me_)) return false;
    owner_died_ = false;
    note(word_, rank_, true);
    return true;
}

void robust_lock::lock(error_code& ec) noexcept
{
    ec.clear();
    if (!holds(word_)) lock_ranks::about_to_take(rank_);
    if (try_lock()) return;
    if (holds(word_)) {
        ec = errc::would_deadlock;
        return;
    }
    const auto deadline = std::chrono::steady_clock::now() + patience_;
    auto slice          = first_slice;
    for (bool ask = true;;) { // at first, and after each slice without an unlock
        std::uint32_t seen = word_.load();
        if (seen == 0) {
            if (!word_.compare_exchange_strong(seen, me_ | waiters)) continue; // others may sleep: the next unlock must wake one
            owner_died_ = false;
            note(word_, rank_, true);
            return;
        }
        if ((seen & waiters) == 0) {
            if (!word_.compare_exchange_strong(seen, seen | waiters)) continue;
            seen |= waiters;
        }
        const std::uint32_t index      = (seen & 0xffff) - 1;
        const std::uint32_t generation = seen >> 16 & 0x7fff;
        const bool mine                = index == (me_ & 0xffff) - 1;
        const bool dead = index >= processes_ || (mine ? generation != me_ >> 16 : ask && judge_.gone(index, generation));
        if (dead) {
            // The observed word, not any word: another waiter may have taken it over and released it meanwhile.
            if (!word_.compare_exchange_strong(seen, me_ | waiters)) continue;
            owner_died_ = true;
            note(word_, rank_, true);
            return;
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            ec = errc::lock_timeout;
            return;
        }
        ask = !futex::sleep_while(&word_, seen, slice);
        if (ask) slice = std::min(2 * slice, last_slice);
    }
}

void robust_lock::lock()
{
    or_throw("sharedsock: lock", [&](error_code& ec) { lock(ec); });
}

bool robust_lock::held(const atomic_u32& word, const liveness_judge& judge) noexcept
{
    const std::uint32_t seen = word.load();
    return seen != 0 && !judge.gone((seen & 0xffff) - 1, seen >> 16 & 0x7fff);
}

void robust_lock::unlock() noexcept
{
    note(word_, rank_, false);
    if ((word_.exchange(0) & waiters) != 0) futex::wake_one(&word_);
}

} // namespace sharedsock::detail
