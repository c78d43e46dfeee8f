// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/light_mutex.hpp"

#include "base/futex.hpp"

#include <chrono>

namespace sharedsock::detail {

// A thread that has waited cannot know whether others still do, so it takes the lock as an awaited one.
void light_mutex::wait() noexcept
{
    while (state_.exchange(awaited, std::memory_order_acquire) != unlocked)
        futex::sleep_while(&state_, awaited, std::chrono::seconds(1)); // the limit only makes it look once more
}

void light_mutex::wake() noexcept { futex::wake_one(&state_); }

} // namespace sharedsock::detail
