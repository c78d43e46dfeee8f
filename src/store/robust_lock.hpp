// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/lock_rank.hpp"
#include "layout/layout.hpp"

#include <sharedsock/error.hpp>

#include <chrono>
#include <cstdint>

namespace sharedsock::detail {

/// Says whether an incarnation of a process index is certainly gone; `liveness_lock` and the process table answer.
class liveness_judge {
public:
    /// `generation` is given modulo 2^15. True only if the kernel has reported the death.
    virtual bool gone(std::uint32_t index, std::uint32_t generation) const noexcept = 0;

protected:
    ~liveness_judge() = default;
};

/// The interprocess mutex: a futex word in the segment that names its holder by process index and generation.
///
///     waiters:1 | generation:15 | index + 1:16        zero: free
///
/// A waiter asks the judge about the holder at first, and after each slice that it slept in vain (50 us, then twice as long
/// each time up to 5 ms), and takes the lock over from one that is dead. No clock decides about life: a holder keeps the lock
/// as long as the kernel keeps the lock on the holder's byte. (pthread's robust mutexes break across pid namespaces
/// and let a damaged segment make the holder write anywhere; Boost.Interprocess' mutex stays unusable once a holder died: both
/// measured.) A waiter takes over a word too that names no possible process.
///
/// A Lockable, for `boost::interprocess::scoped_lock` and `std::unique_lock`. Not recursive: a second lock by the same
/// thread, as from a signal handler, is `errc::would_deadlock`.
class robust_lock {
public:
    /// All arguments must outlive the object, which is made where it is used and keeps nothing but them. `rank`: another one for
    /// a lock under which a slot's is taken.
    robust_lock(atomic_u32& word, std::uint32_t index, std::uint32_t generation, const liveness_judge& judge,
                std::uint32_t processes, std::chrono::nanoseconds patience, lock_rank rank = lock_rank::robust_lock) noexcept
        : word_(word),
          me_((generation & 0x7fff) << 16 | (index + 1)),
          judge_(judge),
          processes_(processes),
          patience_(patience),
          rank_(rank)
    {}

    /// `errc::lock_timeout` when the patience ends; then the holder lives but is stopped or slow.
    void lock(error_code& ec) noexcept;
    void lock(); ///< Throws `system_error`.
    bool try_lock() noexcept;
    void unlock() noexcept;

    /// Whether the last `lock` took it from a dead holder: the data that it guards may be half changed.
    bool owner_died() const noexcept { return owner_died_; }

    /// Whether a live process holds it. That may have changed when this returns.
    static bool held(const atomic_u32& word, const liveness_judge& judge) noexcept;
    /// Whether the word names this process index, in whichever generation.
    static bool names(const atomic_u32& word, std::uint32_t index) noexcept { return (word.load() & 0xffff) == index + 1; }

private:
    atomic_u32& word_;
    const std::uint32_t me_;
    const liveness_judge& judge_;
    const std::uint32_t processes_;
    const std::chrono::nanoseconds patience_;
    const lock_rank rank_;
    bool owner_died_ = false;
};

} // namespace sharedsock::detail
