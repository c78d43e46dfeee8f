// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/light_mutex.hpp"

#include "support/catch.hpp"

#include <mutex>
#include <thread>
#include <vector>

using sharedsock::detail::light_mutex;

TEST_CASE("a light mutex lets one thread in at a time, and each that waits in the end")
{
    light_mutex mutex;
    int count = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
            for (int step = 0; step < 20'000; ++step) {
                const std::scoped_lock lock(mutex);
                ++count;
            }
        });
    threads.clear();
    CHECK(count == 8 * 20'000);
}

TEST_CASE("a light mutex that is locked is refused to a try, and given to it once it is unlocked")
{
    light_mutex mutex;
    CHECK(mutex.try_lock());
    CHECK_FALSE(mutex.try_lock());
    mutex.unlock();
    CHECK(mutex.try_lock());
}
