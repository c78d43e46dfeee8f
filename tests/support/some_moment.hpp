// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <chrono>
#include <thread>

namespace test {

/// Lets the others run for a moment, so that what comes next meets them at other places each time. It orders nothing: whatever they
/// have done by then, and if it took no time at all, the test has to hold. To wait for something there is `eventually`.
template <class Rep, class Period>
void some_moment(std::chrono::duration<Rep, Period> length)
{
    std::this_thread::sleep_for(length);
}

} // namespace test
