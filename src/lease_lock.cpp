// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "lease_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr std::uint32_t waiters = 0x8000'0000;
constexpr long first_slice_ns = 50'000; // a holder that lives is done by then, one that was killed is dead soon after
constexpr long last_slice_ns = 5'000'000; // often enough to ask about one that is stopped

// The locks this thread holds, so that a second lock by it, from a signal handler, is an error and not a hang. At most two
// are held at a time: a slot's and the name table's.
thread_local const atomic_u32* held[2] = {};

bool holds(const atomic_u32& word) noexcept { return std::find(std::begin(held), std::end(held), &word) != std::end(held); }
void note(const atomic_u32& word, bool on) noexcept
{
    const atomic_u32* const from = on ? nullptr : &word;
    if (auto* const place = std::find(std::begin(held), std::end(held), from); place != std::end(held)) *place = on ? &word : nullptr;
}

// Sleeps while the word is `seen`, for one slice at most. False when the slice passed in silence.
bool sleep(atomic_u32& word, std::uint32_t seen, long slice_ns) noexcept
{
    const timespec slice{0, slice_ns};
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, &slice, nullptr, 0);
    return result == 0 || errno != ETIMEDOUT;
}

} // namespace

bool lease_lock::try_lock() noexcept
{
    std::uint32_t nobody = 0;
    if (!word_.compare_exchange_strong(nobody, me_)) return false;
    owner_died_ = false;
    note(word_, true);
    return true;
}

void lease_lock::lock(error_code& ec) noexcept
{
    ec.clear();
    if (try_lock()) return;
    if (holds(word_)) {
        ec = errc::would_deadlock;
        return;
    }
    const auto deadline = std::chrono::steady_clock::now() + patience_;
    long slice_ns = first_slice_ns;
    for (bool ask = true;;) { // at first, and after each slice in which nobody unlocked
        std::uint32_t seen = word_.load();
        if (seen == 0) {
            if (!word_.compare_exchange_strong(seen, me_ | waiters)) continue; // others may sleep: whoever unlocks must wake
            owner_died_ = false;
            note(word_, true);
            return;
        }
        if ((seen & waiters) == 0) {
            if (!word_.compare_exchange_strong(seen, seen | waiters)) continue;
            seen |= waiters;
        }
        const std::uint32_t index = (seen & 0xffff) - 1;
        const std::uint32_t generation = seen >> 16 & 0x7fff;
        const bool mine = index == (me_ & 0xffff) - 1;
        const bool dead = index >= processes_ || (mine ? generation != me_ >> 16 : ask && judge_.gone(index, generation));
        if (dead) {
            // The observed word, not any word: another waiter may have taken it over and released it meanwhile.
            if (!word_.compare_exchange_strong(seen, me_ | waiters)) continue;
            owner_died_ = true;
            note(word_, true);
            return;
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            ec = errc::lock_timeout;
            return;
        }
        ask = !sleep(word_, seen, slice_ns);
        if (ask) slice_ns = std::min(2 * slice_ns, last_slice_ns);
    }
}

void lease_lock::lock()
{
    error_code ec;
    lock(ec);
    if (ec) throw system_error(ec, "sharedsock: lock");
}

bool lease_lock::held(const atomic_u32& word, const life_judge& judge) noexcept
{
    const std::uint32_t seen = word.load();
    return seen != 0 && !judge.gone((seen & 0xffff) - 1, seen >> 16 & 0x7fff);
}

void lease_lock::unlock() noexcept
{
    note(word_, false);
    if ((word_.exchange(0) & waiters) != 0) ::syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

} // namespace sharedsock::detail
