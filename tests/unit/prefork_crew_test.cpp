// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Starts, deaths and replacements.
#include "support/catch.hpp"
#include "unit/prefork_play.hpp"

#include <chrono>
#include <csignal>

namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using prefork::worker_state;
using prefork::detail::never;
using test::play;
using test::rules;
using test::words;

TEST_CASE("start starts all workers at once", "[prefork]")
{
    play p(rules(3));
    CHECK(p.actions() == words{"start 0", "start 1", "start 2"});
    CHECK(p.all.status().ready == 0);
    p.ready({2, 0});
    CHECK(p.all.status().ready == 2);
    CHECK(p.actions().empty());
}

TEST_CASE("a worker that was ready is replaced at once when it dies, and counted", "[prefork]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.actions();
    p.dies(1);
    CHECK(p.actions() == words{"start 1"});
    CHECK(p.all.seats()[1].generation == 2);
    CHECK(p.all.seats()[1].restarts == 1);
    CHECK(p.all.seats()[0].generation == 1);
}

TEST_CASE("a worker that keeps dying is replaced later and later, until one lasts", "[prefork]")
{
    prefork::options how = rules(1);
    how.limit.deaths     = 0;
    play p(how);
    p.actions();
    const auto live_and_die = [&p](std::chrono::nanoseconds life) {
        p.ready({0});
        p.after(life);
        p.dies(0);
        return p.actions();
    };
    CHECK(live_and_die(1s) == words{"start 0"});
    for (const auto delay : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        CHECK(live_and_die(1s).empty());
        CHECK(p.state(0) == worker_state::backing_off);
        CHECK(p.all.next_deadline() == p.now + delay);
        p.after(delay - 1ns);
        CHECK(p.actions().empty());
        p.after(1ns);
        CHECK(p.actions() == words{"start 0"});
    }
    CHECK(live_and_die(10s) == words{"start 0"}); // the worker was stable
}

TEST_CASE("a worker that dies before it is ready is a failed start, and waits from the first time", "[prefork]")
{
    play p(rules(1));
    p.actions();
    p.dies(0);
    CHECK(p.actions().empty());
    CHECK(p.state(0) == worker_state::backing_off);
    p.after(100ms);
    CHECK(p.actions() == words{"start 0"});
}

TEST_CASE("a start that fails at once is not tried again in the same moment, even without a back-off", "[prefork]")
{
    prefork::options how = rules(1);
    how.limit.deaths     = 0;
    how.respawn.first    = 0ns;
    play p(how);
    p.actions();
    p.dies(0);
    CHECK(p.actions().empty());
    CHECK(p.all.next_deadline() == p.now);
}

TEST_CASE("a worker that never becomes ready is killed when its time is over", "[prefork]")
{
    play p(rules(1));
    p.actions();
    p.after(20s - 1ns);
    CHECK(p.actions().empty());
    p.after(1ns);
    CHECK(p.actions() == words{"kill 0"});
    p.ready({0}); // too late
    CHECK(p.state(0) == worker_state::killed);
    p.dies(0);
    CHECK(p.state(0) == worker_state::backing_off);
}

TEST_CASE("a worker that cannot become ready any more has a moment to die by itself", "[prefork]")
{
    play p(rules(1));
    p.actions();
    p.all.cannot_start(0, p.now);
    CHECK(p.actions().empty());
    p.after(1s);
    CHECK(p.actions() == words{"kill 0"});
}

TEST_CASE("too many deaths in a row end all starts, and a new attempt forgets them", "[prefork]")
{
    play p(rules(2)); // 5 deaths within 60 s
    p.actions();
    p.ready({1});
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(p.all.status().given_up);
        p.dies(0);
        p.after(1s);
    }
    CHECK(p.all.status().given_up);
    CHECK(p.state(0) == worker_state::ended);
    CHECK(p.state(1) == worker_state::ready);
    p.actions();
    p.after(1h);
    CHECK(p.actions().empty());
    CHECK(p.all.next_deadline() == never);

    SECTION("by start")
    {
        p.all.start(p.now);
        CHECK(p.actions() == words{"start 0"});
    }
    SECTION("by resize")
    {
        p.all.resize(3, p.now);
        CHECK(p.actions() == words{"start 0", "start 2"});
    }
    CHECK_FALSE(p.all.status().given_up);
}

TEST_CASE("deaths of workers that were asked to end do not count as failures", "[prefork]")
{
    play p(rules(1));
    for (int i = 0; i < 20; ++i) {
        p.ready({0});
        p.all.roll(p.now);
        p.dies(0);
        CHECK(p.all.seats()[0].failures == 0);
    }
    CHECK_FALSE(p.all.status().given_up);
    CHECK(p.all.seats()[0].restarts == 0);
    CHECK(p.all.seats()[0].generation == 21);
}

TEST_CASE("a stop that a signal asked for is told from one by call, until start is called", "[prefork]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.all.stop(p.now);
    CHECK(p.all.status().stopping);
    CHECK_FALSE(p.all.status().signaled);
    p.all.stop_by_signal(p.now);
    CHECK(p.all.status().signaled);
    p.all.start(p.now);
    CHECK_FALSE(p.all.status().signaled);
    CHECK_FALSE(p.all.status().stopping);
}

TEST_CASE("more workers are started, and fewer drain the last ones", "[prefork]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.actions();
    p.all.resize(4, p.now);
    CHECK(p.actions() == words{"start 2", "start 3"});
    p.ready({2, 3});
    p.all.resize(1, p.now);
    CHECK(p.actions() == words{"ask_to_drain 1", "ask_to_drain 2", "ask_to_drain 3"});
    CHECK(p.all.status().ready == 1);

    SECTION("more again before they have ended: their places are taken when they have")
    {
        p.all.resize(2, p.now);
        CHECK(p.actions().empty());
        p.dies(1);
        CHECK(p.actions() == words{"start 1"});
        p.dies(2);
        CHECK(p.actions().empty());
    }
    SECTION("none at all")
    {
        p.all.resize(0, p.now);
        CHECK(p.actions() == words{"ask_to_drain 0"});
    }
}

TEST_CASE("a worker that was ready and ends with 0 is replaced at once and not counted, however often", "[prefork][fault-120]")
{
    play p(rules(2)); // 5 deaths are too many
    p.ready({0, 1});
    p.actions();
    for (int i = 0; i < 100; ++i) {
        p.ends(1);
        CHECK(p.actions() == words{"start 1"});
        p.ready({1});
    }
    CHECK_FALSE(p.all.status().given_up);
    CHECK(p.all.seats()[1].generation == 101);
    CHECK(p.all.seats()[1].restarts == 0);
    CHECK(p.all.seats()[1].failures == 0);
}

TEST_CASE("an end with 0 before the worker was ready is a failed start", "[prefork][fault-120]")
{
    play p(rules(1));
    p.actions();
    p.ends(0);
    CHECK(p.actions().empty());
    CHECK(p.state(0) == worker_state::backing_off);
}

TEST_CASE("an early end with 0 of a program that does not say when it is ready counts as a death", "[prefork][fault-120]")
{
    play p(rules(1), false);
    p.ready({0});
    p.actions();
    SECTION("within the stable time")
    {
        p.after(10s - 1ns);
        p.ends(0);
        CHECK(p.all.seats()[0].restarts == 1);
    }
    SECTION("after it")
    {
        p.after(10s);
        p.ends(0);
        CHECK(p.all.seats()[0].restarts == 0);
    }
    CHECK(p.actions() == words{"start 0"});
}

TEST_CASE("the end of a worker is in order, a failure or by a signal", "[prefork][fault-120]")
{
    using prefork::detail::ending;
    using prefork::detail::ending_of;
    CHECK(ending_of({true, 0, 0}, true) == ending::orderly);
    CHECK(ending_of({true, 1, 0}, true) == ending::failed);
    CHECK(ending_of({false, 0, 0}, true) == ending::failed); // its exit status is not known
    CHECK(ending_of({true, 0, SIGTERM}, true) == ending::by_signal);
    CHECK(ending_of({true, 0, SIGTERM}, false) == ending::orderly); // the request to a program that does not cooperate
    CHECK(ending_of({true, 0, SIGKILL}, false) == ending::by_signal);
}
