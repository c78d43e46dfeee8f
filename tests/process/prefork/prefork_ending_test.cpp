// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// How forked workers end: by a request, by the steps that follow it, and with their parent.
#include "process/prefork/prefork_bodies.hpp"
#include "process/prefork/prefork_crew.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <algorithm>
#include <csignal>
#include <set>
#include <string>

using test::is_gone;

TEST_CASE("a stopped worker that is to drain ends in SIGKILL", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=2 drain.asked=20 drain.terminated=20"});
    crew.tell_done("start");
    crew.ask("calm");
    ::kill(crew.pids().at(1), SIGSTOP);
    crew.tell_done("resize 1");
    CHECK(crew.ask("calm") == "1 draining, 1 terminating, 1 killed, 1 ended (was killed by signal 9), 1 vacant");
    CHECK(crew.ask("status") == "0:ready:1");
}

TEST_CASE("a worker that ignores a request to drain ends in SIGTERM", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"is deaf", "workers=1 drain.asked=20 drain.terminated=60000"});
    crew.tell_done("start");
    crew.ask("calm");
    crew.tell_done("stop");
    CHECK(crew.ask("calm") == "0 draining, 0 terminating, 0 ended (was killed by signal 15), 0 vacant");
}

TEST_CASE("stop_now does not wait for workers", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"is deaf", "workers=2"});
    crew.tell_done("start");
    crew.ask("calm");
    crew.tell_done("stop_now");
    CHECK_THAT(crew.ask("calm"), test::contains("1 ended (was killed by signal 9)"));
    CHECK(crew.ask("children") == "0");
}

TEST_CASE("workers are told of the death of their parent as of a request to drain", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"tells of its parent", "workers=2 parent_death_signal=0"});
    crew.tell_done("start");
    crew.ask("calm");
    const auto pids = crew.pids();
    SECTION("killed")
    {
        crew.kill(SIGKILL);
        std::set<std::string> said = {crew.line(), crew.line()};
        CHECK(said == std::set<std::string>{"0 has lost its parent", "1 has lost its parent"});
        CHECK(test::eventually([&] { return std::all_of(pids.begin(), pids.end(), is_gone); }));
    }
    SECTION("not so when they are asked")
    {
        crew.tell("stop");
        std::set<std::string> said = {crew.line(), crew.line(), crew.line()};
        CHECK(said == std::set<std::string>{"0 was asked", "1 was asked", "done"});
    }
}

TEST_CASE("with a parent-death signal a worker that ignores requests dies with its parent", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"is deaf", "workers=1"}); // the options ask for SIGKILL
    crew.tell_done("start");
    crew.ask("calm");
    const pid_t worker = crew.pids().at(0);
    crew.kill(SIGKILL);
    CHECK(test::eventually([&] { return is_gone(worker); }));
}
