// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <chrono>
#include <thread>

namespace test {

/// Lets other processes and threads run for a moment, so that the next step meets them at another place each time. It orders
/// nothing: the test has to hold wherever they are, also if the moment took no time at all. To wait for a fact, use `eventually`.
template <class Rep, class Period>
void some_moment(std::chrono::duration<Rep, Period> length)
{
    std::this_thread::sleep_for(length);
}

} // namespace test
