// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/prefork/options.hpp>

#include <chrono>
#include <cstdint>
#include <deque>

namespace sharedsock::prefork::detail {

using time_point = std::chrono::steady_clock::time_point;

inline constexpr time_point never = time_point::max();

/// The time `by` after `now`; `never` instead of an overflow.
constexpr time_point later(time_point now, std::chrono::nanoseconds by) noexcept { return by >= never - now ? never : now + by; }

/// The time that a place stays empty after its worker has died, after so many failures in a row.
std::chrono::nanoseconds delay_after(std::uint32_t failures, const back_off& rules) noexcept;

/// Counts deaths within a moving span of time.
class death_counter {
public:
    explicit death_counter(const death_limit& rules) : rules_(rules) {} // a deque takes memory when it is made

    /// Notes a death; returns whether there are too many now.
    bool note(time_point now);
    void forget() noexcept { deaths_.clear(); }

private:
    death_limit rules_;
    std::deque<time_point> deaths_; // of the last `within`, at most `deaths`
};

} // namespace sharedsock::prefork::detail
