// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Workers that are forked from a program with threads.
#include "process/prefork/prefork_bodies.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/prefork.hpp>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace prefork = sharedsock::prefork;
using test::obeys;

/// Forks workers while other threads are inside malloc and the library. args: rounds.
SHAREDSOCK_CHILD_ROLE("supervises from a program with threads")
{
    test::scratch_segment home;
    test::connection pair(home);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            while (!stop.load()) {
#ifndef SHAREDSOCK_TEST_SANITIZED // their malloc's locks, unlike glibc's, stay locked in a forked child
                const std::vector<std::string> some(50, std::string(100, 'x'));
                if (pair.socket.handles().empty()) ::_exit(98);
#endif
                if (pair.socket.registration()) ::_exit(97); // no process has made one
            }
        });
    prefork::options how;
    how.workers             = 3;
    how.parent_death_signal = SIGKILL;
    prefork::supervisor all(how, [&](prefork::worker& self) {
        const std::vector<std::string> some(1'000, std::string(100, 'y'));
        self.appear_in(home);
        if (pair.socket.handles().empty()) return 1;
        return obeys(self);
    });
    all.start();
    all.wait_ready();
    for (int round = 0; round < std::stoi(role.args.at(0)); ++round) {
        all.roll();
        all.wait_ready();
    }
    stop.store(true);
    for (std::thread& each : threads)
        each.join();
    std::string failed;
    for (const auto& one : all.status())
        if (one.restarts != 0 || !one.last_exit->well() || !one.process)
            failed += "worker " + std::to_string(one.place) + " of " + to_string(one.process) + ", restarted " +
                      std::to_string(one.restarts) + " times, " + to_string(*one.last_exit) + ' ' + one.reason + "; ";
    all.stop();
    all.run();
    role.say(failed.empty() ? "all well" : failed);
    return 0;
}

TEST_CASE("workers can be forked while other threads are inside the library", "[prefork][fault-23]")
{
    test::child_process threaded("supervises from a program with threads", {"10"});
    CHECK(threaded.line() == "all well");
    CHECK(threaded.wait() == 0);
}
