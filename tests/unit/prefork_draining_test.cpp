// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Requests to drain, and stops.
#include "support/catch.hpp"
#include "unit/prefork_play.hpp"

#include <chrono>
#include <cstddef>

namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using prefork::worker_state;
using prefork::detail::never;
using test::play;
using test::rules;
using test::words;

TEST_CASE("draining goes from the request to SIGTERM to SIGKILL, each in its time", "[prefork]")
{
    play p(rules(1));
    p.ready({0});
    p.actions();
    p.all.stop(p.now);
    CHECK(p.actions() == words{"ask_to_drain 0"});
    p.after(30s);
    CHECK(p.actions() == words{"terminate 0"});
    CHECK(p.state(0) == worker_state::terminating);
    p.after(5s);
    CHECK(p.actions() == words{"kill 0"});
    CHECK_FALSE(p.all.status().finished);
    p.dies(0);
    CHECK(p.all.status().finished);
    CHECK(p.all.next_deadline() == never);
}

TEST_CASE("a step of the draining without a limit is the last one, and one of no length is left out", "[prefork]")
{
    prefork::options how = rules(1);
    SECTION("without a limit")
    {
        how.drain.asked = prefork::for_ever;
        play p(how);
        p.ready({0});
        p.all.stop(p.now);
        CHECK(p.all.next_deadline() == never);
    }
    SECTION("of no length")
    {
        how.drain = {0s, 0s};
        play p(how);
        p.ready({0});
        p.actions();
        p.all.stop(p.now);
        p.after(0s);
        p.after(0s);
        CHECK(p.actions() == words{"ask_to_drain 0", "terminate 0", "kill 0"});
    }
}

TEST_CASE("a worker that cannot hear the request gets SIGTERM at once", "[prefork]")
{
    play p(rules(1));
    p.ready({0});
    p.all.stop(p.now);
    p.actions();
    p.all.cannot_hear(0, p.now);
    p.after(0s);
    CHECK(p.actions() == words{"terminate 0"});
}

TEST_CASE("a program that does not know of the request is drained by SIGTERM", "[prefork]")
{
    play p(rules(1), false);
    p.ready({0});
    p.actions();
    p.all.stop(p.now);
    CHECK(p.actions() == words{"terminate 0"});
    CHECK(p.state(0) == worker_state::draining);
}

TEST_CASE("stop_now kills whatever runs, and is finished when all are dead", "[prefork]")
{
    play p(rules(3));
    p.ready({0, 1});
    p.dies(0); // is replaced
    p.all.stop(p.now);
    p.actions();
    p.all.stop_now(p.now);
    CHECK(p.actions() == words{"kill 0", "kill 1", "kill 2"});
    for (const std::size_t place : {0u, 1u, 2u})
        p.dies(place);
    CHECK(p.all.status().finished);
    CHECK(p.actions().empty());
}

TEST_CASE("stop ends the wait for a replacement", "[prefork]")
{
    play p(rules(1));
    p.dies(0);
    p.all.stop(p.now);
    CHECK(p.all.status().finished);
    p.actions();
    p.after(1h);
    CHECK(p.actions().empty());
}

TEST_CASE("start after stop begins anew, in places whose old workers have ended", "[prefork]")
{
    play p(rules(1));
    p.ready({0});
    p.all.stop(p.now);
    p.all.start(p.now);
    p.actions();
    p.dies(0);
    CHECK(p.actions() == words{"start 0"});
    CHECK_FALSE(p.all.status().finished);
}

TEST_CASE("a worker that a signal has asked to drain has the same limits, and is replaced when it has ended",
          "[prefork][fault-117]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.actions();
    p.all.said_leaving(1, p.now);
    CHECK(p.state(1) == worker_state::draining);
    CHECK(p.actions().empty()); // it has heard the request already
    SECTION("by its own end")
    {
        p.ends(1);
        CHECK(p.actions() == words{"start 1"});
    }
    SECTION("by SIGTERM and SIGKILL")
    {
        p.after(30s);
        CHECK(p.actions() == words{"terminate 1"});
        p.after(5s);
        CHECK(p.actions() == words{"kill 1"});
        p.dies(1);
        CHECK(p.actions() == words{"start 1"});
    }
    SECTION("not if the crew stops meanwhile")
    {
        p.all.stop(p.now);
        CHECK(p.actions() == words{"ask_to_drain 0"});
        p.ends(1);
        p.ends(0);
        CHECK(p.all.status().finished);
    }
    CHECK(p.all.seats()[1].restarts == 0);
}

TEST_CASE("a stop counts the workers that a signal ends before they have drained", "[prefork][fault-118]")
{
    using prefork::detail::ending;
    play p(rules(4));
    p.ready({0, 1, 2});
    p.all.died(0, p.now, ending::by_signal); // before the stop: it is replaced
    p.ready({0});
    p.all.stop(p.now);
    p.all.died(0, p.now, ending::by_signal);
    p.all.died(1, p.now, ending::orderly);
    p.all.died(2, p.now, ending::failed);
    p.all.died(3, p.now, ending::by_signal); // it had nothing to drain: it was not ready
    CHECK(p.all.status().killed == 1);
    CHECK(p.all.status().finished);
    p.all.start(p.now);
    CHECK(p.all.status().killed == 0);
}
