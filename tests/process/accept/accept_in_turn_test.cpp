// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Several real workers accept from one listener, and some of them die or stand still.
#include "support/catch.hpp"
#include "support/turn_worker.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <map>
#include <vector>

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

std::vector<test::turn_worker> workers(test::turn_listener& from, int count, test::turn_manner manner, const ss::turn_options& how)
{
    std::vector<test::turn_worker> all;
    for (int i = 0; i < count; ++i)
        all.emplace_back(from, manner, how);
    return all;
}

int busiest(const std::map<pid_t, int>& by_worker)
{
    int most = 0;
    for (const auto& [pid, count] : by_worker)
        most = std::max(most, count);
    return most;
}

constexpr ss::turn_options no_patrol{.order = ss::turn_order::first_come, .batch = 16, .patrol = 0ms};

} // namespace

TEST_CASE("connections that come one by one go round among the workers in the accept queue", "[G4]")
{
    const int count = GENERATE(2, 4);
    test::turn_listener listener;
    const auto all = workers(listener, count, test::turn_manner::answers, {.batch = 4});
    std::map<pid_t, int> by_worker;
    const int even = 40;
    for (int i = 0; i < even * count; ++i) {
        test::caller one(listener.port);
        ++by_worker[one.accepted_by()];
        CHECK(one.ended());
    }
    CHECK(by_worker.size() == static_cast<std::size_t>(count));
    CHECK(busiest(by_worker) <= even * 9 / 5); // EPOLLEXCLUSIVE alone gives all to one
}

TEST_CASE("connections that stay are spread evenly over the workers, and each is accepted by exactly one", "[G4]")
{
    const int count = GENERATE(2, 4);
    test::turn_listener listener;
    const auto all = workers(listener, count, test::turn_manner::keeps, {.order = ss::turn_order::least_loaded, .batch = 16});
    std::map<pid_t, int> by_worker;
    std::vector<test::caller> callers;
    const int even = 10;
    for (int i = 0; i < even * count; ++i) {
        callers.emplace_back(listener.port);
        ++by_worker[callers.back().accepted_by()];
    }
    CHECK(by_worker.size() == static_cast<std::size_t>(count));
    CHECK(busiest(by_worker) <= even * 9 / 5); // by turns of 16 one would have them all
    for (const test::caller& one : callers)
        CHECK(one.silent());
}

TEST_CASE("of connections that come all at once none is lost and none is accepted twice", "[G4]")
{
    test::turn_listener listener;
    const auto all = workers(listener, 4, test::turn_manner::answers, {.batch = 4});
    std::map<pid_t, int> by_worker;
    const int even = 100;
    for (int round = 0; round < 10; ++round) {
        std::vector<test::caller> callers;
        for (int i = 0; i < even * 4 / 10; ++i)
            callers.emplace_back(listener.port);
        for (test::caller& one : callers) {
            ++by_worker[one.accepted_by()];
            CHECK(one.ended());
        }
    }
    CHECK(by_worker.size() >= 2); // how they share a burst is the scheduler's as well
    CHECK(busiest(by_worker) < even * 4);
}

TEST_CASE("a worker that dies between its wake-up and its accept leaves the connection to the others at once", "[G7]")
{
    test::turn_listener listener;
    test::turn_worker first(listener, test::turn_manner::waits, no_patrol);
    test::turn_worker second(listener, test::turn_manner::answers, no_patrol);
    test::caller one(listener.port);
    first.process().wait_for("woken");
    CHECK(one.silent()); // it is the turn of `first`, which does not take it
    first.process().kill(SIGKILL);
    CHECK(first.process().wait() == -SIGKILL);
    CHECK(one.accepted_by() == second.pid());
    CHECK(test::caller(listener.port).accepted_by() == second.pid());
}

TEST_CASE("the death of a later worker in the accept queue is noticed by an earlier one", "[G7]")
{
    test::turn_listener listener;
    test::turn_worker first(listener, test::turn_manner::answers, {.order = ss::turn_order::first_come, .batch = 1, .patrol = 0ms});
    test::turn_worker second(listener, test::turn_manner::waits, no_patrol);
    CHECK(test::caller(listener.port).accepted_by() == first.pid()); // the first goes to the end of the accept queue
    test::caller one(listener.port);
    second.process().wait_for("woken");
    second.process().kill(SIGKILL);
    CHECK(one.accepted_by() == first.pid());
}

TEST_CASE("a connection whose worker was stopped before accepting is taken by the worker that the next connection wakes", "[G7]")
{
    test::turn_listener listener;
    test::turn_worker first(listener, test::turn_manner::waits, no_patrol);
    test::turn_worker second(listener, test::turn_manner::answers, no_patrol);
    test::caller one(listener.port);
    first.process().wait_for("woken");
    first.process().stop();
    test::caller two(listener.port);
    CHECK(one.accepted_by() == second.pid());
    CHECK(two.accepted_by() == second.pid());
    first.process().resume();
    first.process().tell("go on");
    first.process().tell("go on"); // the first may be the one that is woken next
    CHECK(test::caller(listener.port).accepted_by() != 0);
}

TEST_CASE("the patrol takes a connection whose worker was stopped before accepting", "[G7]")
{
    test::turn_listener listener;
    test::turn_worker first(listener, test::turn_manner::waits, no_patrol);
    test::turn_worker second(listener, test::turn_manner::answers, {.patrol = 20ms});
    test::caller one(listener.port);
    first.process().wait_for("woken");
    first.process().stop();
    CHECK(one.accepted_by() == second.pid());
}

TEST_CASE("a worker that was stopped while no client connects is passed over", "[G7]")
{
    test::turn_listener listener;
    test::turn_worker first(listener, test::turn_manner::answers, no_patrol);
    test::turn_worker second(listener, test::turn_manner::answers, no_patrol);
    first.process().stop();
    for (int i = 0; i < 5; ++i)
        CHECK(test::caller(listener.port).accepted_by() == second.pid());
}
