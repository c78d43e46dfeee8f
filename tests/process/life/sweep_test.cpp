// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Sweeping from several threads at once: the kernel's lock on a byte keeps out other processes, not other threads.
#include "support/at_the_end.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <atomic>
#include <csignal>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>

namespace ss = sharedsock;

/// args: segment. Attaches and opens sockets when told, and says whether they are still its own.
SHAREDSOCK_CHILD_ROLE(has sockets)
{
    ss::segment segment;
    std::vector<ss::shared_socket> sockets;
    role.say("ready");
    return role.serve({{"attach",
                        [&](const std::string&) {
                            ss::error_code ec; // full as long as another thread sweeps the one other index
                            test::eventually([&] { return segment = ss::segment::open(role.args.at(0), {}, ec), !ec; });
                            for (int i = 0; i < 200; ++i)
                                sockets.push_back(ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
                            return "ok";
                        }},
                       {"whole", [&](const std::string&) {
                            for (const ss::shared_socket& one : sockets)
                                if (one.handles().size() != 1) return "lost a handle";
                            return "yes";
                        }}});
}

TEST_CASE("threads that sweep the dead at the same time take nothing from a process that attaches in their place", "[DUP-14][G7]")
{
    test::scratch_segment home({.sockets = 512, .processes = 2});
    std::atomic<bool> done{false};
    std::vector<std::jthread> sweepers;
    const test::at_the_end enough([&] { done = true; }); // by an exception too
    for (int i = 0; i < 3; ++i)
        sweepers.emplace_back([&] {
            while (!done)
                home->sweep();
        });
    std::vector<std::string> answers;
    for (int round = 0; round < 30; ++round) {
        test::child_process dies("has sockets", {home.name()}), follows("has sockets", {home.name()});
        dies.wait_for("ready");
        follows.wait_for("ready");
        answers.push_back(dies.ask("attach"));
        dies.kill(SIGKILL);
        dies.wait();
        answers.push_back(follows.ask("attach")); // while the other is being swept
        answers.push_back(follows.ask("whole"));
    }
    done = true;
    for (std::jthread& one : sweepers)
        one.join();
    for (std::size_t i = 0; i < answers.size(); ++i)
        CHECK(answers[i] == (i % 3 == 2 ? "yes" : "ok"));
    home->sweep();
    CHECK(home->processes().size() == 1);
}
