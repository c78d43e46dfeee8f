// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "layout/worker_word.hpp"
#include "prefork/respawn_policy.hpp"
#include "support/catch.hpp"

#include <chrono>

namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using prefork::detail::death_counter;
using prefork::detail::delay_after;
using prefork::detail::later;
using prefork::detail::never;
using prefork::detail::time_point;

TEST_CASE("the delay doubles with each failure in a row up to its most", "[prefork]")
{
    const prefork::back_off rules{100ms, 1s, 10s};
    CHECK(delay_after(0, rules) == 0ms);
    CHECK(delay_after(1, rules) == 100ms);
    CHECK(delay_after(2, rules) == 200ms);
    CHECK(delay_after(4, rules) == 800ms);
    CHECK(delay_after(5, rules) == 1s);
    CHECK(delay_after(0xffff'ffff, rules) == 1s);
}

TEST_CASE("the delay neither overflows nor loops for ever, whatever the rules say", "[prefork]")
{
    CHECK(delay_after(0xffff'ffff, {0ns, 1s, 1s}) == 0ns);
    CHECK(delay_after(7, {5s, 1s, 1s}) == 1s);
    CHECK(delay_after(0xffff'ffff, {1ns, prefork::for_ever, 1s}) == prefork::for_ever);
}

TEST_CASE("too many deaths are too many within the span only", "[prefork]")
{
    const time_point start{1h};
    death_counter deaths({3, 10s});
    CHECK_FALSE(deaths.note(start));
    CHECK_FALSE(deaths.note(start + 6s));
    CHECK_FALSE(deaths.note(start + 12s)); // the first one was too long ago
    CHECK(deaths.note(start + 13s));
    deaths.forget();
    CHECK_FALSE(deaths.note(start + 13s));
}

TEST_CASE("a limit of 0 deaths means no limit", "[prefork]")
{
    death_counter deaths({0, 10s});
    for (int i = 0; i < 1'000; ++i)
        CHECK_FALSE(deaths.note(time_point{1h}));
}

TEST_CASE("a time that would overflow is never", "[prefork]")
{
    CHECK(later(time_point{1h}, prefork::for_ever) == never);
    CHECK(later(time_point{1h}, 1s) == time_point{1h + 1s});
}

TEST_CASE("a worker's part goes into a word and comes out of it, and a word without a known part gives none", "[prefork]")
{
    using sharedsock::detail::worker_word;
    const auto back = worker_word::decode(worker_word{worker_word::role::draining, 4'095}.encode());
    CHECK(back.what == worker_word::role::draining);
    CHECK(back.value == 4'095);
    CHECK(back.is_worker());
    CHECK_FALSE(worker_word::decode(worker_word{worker_word::role::parent, 4}.encode()).is_worker());
    const auto retires = worker_word::decode(worker_word{worker_word::role::retiring, 7}.encode());
    CHECK((retires.is_worker() && retires.serves()));
    CHECK_FALSE(back.serves());
    CHECK(worker_word::decode(0).what == worker_word::role::none);
    CHECK(worker_word::decode(0xffff'ffff).what == worker_word::role::none);
}
