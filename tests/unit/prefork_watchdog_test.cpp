// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Workers that give no sign of life, and signals that come twice.
#include "prefork/stop_requests.hpp"
#include "support/catch.hpp"
#include "unit/prefork_play.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using prefork::worker_state;
using prefork::detail::never;
using prefork::detail::stop_requests;
using test::play;
using test::rules;
using test::words;

namespace {

constexpr auto limit    = 8s;
constexpr auto one_look = limit / prefork::detail::looks;

prefork::options watched(std::size_t workers)
{
    prefork::options how = rules(workers);
    how.watchdog         = limit;
    return how;
}

// The next look, in its time, at the one worker.
void look(play& p, std::uint32_t beats, bool is_stopped = false)
{
    p.now = p.all.next_deadline();
    REQUIRE(p.all.look_is_due(p.now));
    const prefork::detail::sighting seen[] = {{0, beats, is_stopped}};
    p.all.looked(seen, p.now);
}

} // namespace

TEST_CASE("a worker that gives no sign of life is killed within one and a half of the limit, and replaced", "[prefork][fault-125]")
{
    play p(watched(1));
    p.ready({0});
    p.actions();
    const auto since = p.now;
    while (p.state(0) == worker_state::ready)
        look(p, 0);
    CHECK(p.actions() == words{"kill 0"});
    CHECK(p.now - since >= limit);
    CHECK(p.now - since <= limit * 3 / 2);
    CHECK(p.all.seats()[0].hung);
    p.dies(0);
    CHECK(p.actions() == words{"start 0"});
    CHECK(p.all.seats()[0].restarts == 1);
    CHECK_FALSE(p.all.seats()[0].hung);
}

TEST_CASE("a worker that beats lives on", "[prefork][fault-125]")
{
    play p(watched(1));
    p.ready({0});
    p.actions();
    std::uint32_t beats = 0xffff'fff0; // the count wraps
    for (int i = 0; i < 100; ++i)
        look(p, i % 9 == 0 ? ++beats : beats); // 9 of the looks are more than the limit
    CHECK(p.state(0) == worker_state::ready);
    CHECK(p.actions().empty());
}

TEST_CASE("a worker that was stopped is seen so, and is ready again when it goes on", "[prefork][fault-125]")
{
    play p(watched(1));
    p.ready({0});
    look(p, 1);
    look(p, 1, true);
    CHECK(p.state(0) == worker_state::stopped);
    CHECK(p.all.status().ready == 0);
    look(p, 2, false);
    CHECK(p.state(0) == worker_state::ready);
    while (p.state(0) != worker_state::killed)
        look(p, 2, true);
    CHECK(p.all.seats()[0].hung);
}

TEST_CASE("workers that were stopped together with their supervisor are not killed for it", "[prefork][fault-125]")
{
    play p(watched(1));
    p.ready({0});
    look(p, 1);
    p.actions();
    p.now += 1h; // Ctrl-Z, and fg
    const prefork::detail::sighting seen[] = {{0, 1, false}};
    p.all.looked(seen, p.now);
    CHECK(p.state(0) == worker_state::ready);
    look(p, 2); // it has gone on
    for (int i = 0; i < prefork::detail::looks - 1; ++i)
        look(p, 2);
    CHECK(p.actions().empty());
}

TEST_CASE("the watchdog looks at no worker that starts, drains, or does not cooperate, and at none without a limit",
          "[prefork][fault-125]")
{
    SECTION("one that starts")
    {
        play p(watched(1));
        CHECK(p.all.next_deadline() == p.now + 20s); // the limit of the start
    }
    SECTION("one that drains")
    {
        play p(watched(1));
        p.ready({0});
        p.all.stop(p.now);
        look(p, 0);
        CHECK(p.all.next_deadline() == p.now - one_look + 30s); // the limit of the draining
    }
    SECTION("one that does not cooperate")
    {
        play p(watched(1), false);
        p.ready({0});
        CHECK(p.all.next_deadline() == never);
    }
    SECTION("no limit")
    {
        prefork::options how = rules(1);
        how.watchdog         = 0s;
        play p(how);
        p.ready({0});
        CHECK(p.all.next_deadline() == never);
    }
}

TEST_CASE("a roll asks a stopped worker to drain, and ends it by SIGKILL in its time", "[prefork][fault-125]")
{
    prefork::options how = watched(2);
    play p(how);
    p.ready({0, 1});
    p.actions();
    p.now                                  = p.all.next_deadline();
    const prefork::detail::sighting seen[] = {{0, 1, true}, {1, 1, false}};
    p.all.looked(seen, p.now);
    p.all.roll(p.now);
    CHECK(p.actions() == words{"ask_to_drain 0"});
    CHECK(p.all.status().ready == 1); // 1 is the only one that serves
    p.after(30s);
    p.after(5s);
    CHECK(p.actions() == words{"terminate 0", "kill 0"});
}

TEST_CASE("stop signals within the time of one request are one", "[prefork][fault-119]")
{
    using meaning = stop_requests::meaning;
    stop_requests all;
    const prefork::detail::time_point start{1h};
    CHECK(all.note(start, false, 1s) == meaning::stop);
    CHECK(all.note(start, true, 1s) == meaning::repeated);
    CHECK(all.note(start + 1s - 1ns, true, 1s) == meaning::repeated);
    CHECK(all.note(start + 1s, true, 1s) == meaning::stop_now);
    CHECK(all.note(start + 2s, false, 1s) == meaning::stop); // started anew meanwhile

    stop_requests by_call; // `stop` was called
    CHECK(by_call.note(start, true, 1s) == meaning::stop);
    CHECK(by_call.note(start, true, 0s) == meaning::stop_now);
}
