// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// fork(2) while another thread is in any of the public operations.
#include "fault/harness/call_survivor.hpp"
#include "fault/harness/sampling.hpp"
#include "fault/operations/public_operations.hpp"
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/role.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <map>
#include <random>
#include <string>
#include <thread>

namespace ss = sharedsock;

namespace {

// A forked child uses another segment, which the operation of the other thread does not touch.
int use_library(ss::segment& own, test::connection& pair)
{
    return test::in_forked_child([&](test::child_facts& all) {
        all.expect(static_cast<bool>(own.self())); // 1
        ss::error_code ec;
        ss::event_object ready;
        pair.socket.event_select(ready, ss::network_event::write, {}, ec);
        all.expect(!ec && ready.is_set()); // 2, 3
        test::connection fresh(own);
        const auto again = ss::shared_socket::redeem(own, fresh.socket.duplicate(own.self()), ec);
        all.expect(!ec && again.is_open()); // 3
    });
}

// Operations whose work is done already, by a forked child, which sweeps the dead when it attaches, or by the round before; and two
// that count the socket's handles, of which the child of the other fork has one.
const std::map<std::string, std::string> fails_when_repeated{
    {"check and repair", "the dead are not swept"},
    {"fork", "the forked child ended with status 512"},
    {"be forked", "the forked child ended with status 512"},
    {"sweep", "the dead are not swept"},
    {"create a segment", "sharedsock::segment::create: " + ss::error_code(ss::errc::segment_exists).message() + " [sharedsock:2]"},
};

} // namespace

/// args: operation, directory, seed. Hears a ticket for each round: a thread does the operation, and the main thread forks at some
/// moment of it. Says how many children were forked, or the fault that one found.
SHAREDSOCK_CHILD_ROLE(forks while a thread does one operation)
{
    ::signal(SIGUSR1, SIG_IGN);
    test::kill_children_that_hang();
    test::scratch_segment home;
    test::connection pair(home);
    std::mt19937 random(static_cast<std::uint32_t>(std::stoul(role.args.at(2))));
    const test::public_operation& one = test::public_operations().at(role.args.at(0));
    constexpr unsigned longest        = 20'000; // turns of an empty loop
    while (const auto ticket = role.hear()) {
        std::atomic<bool> begins{false}, ended{false};
        std::string failed;
        int forks = 0, wrong = 0;
        {
            test::victim self(role.args.at(1), *ticket);
            one.prepare(self);
            std::thread acts([&] {
                begins.store(true);
                try {
                    one.act(self);
                } catch (const std::exception& failure) {
                    failed = failure.what();
                }
                ended.store(true);
            });
            while (!begins.load()) {
            }
            std::atomic<std::uint32_t> left{static_cast<std::uint32_t>(random() % longest)}; // the compiler keeps it
            while (left.load() > 0 && !ended.load())
                left.fetch_sub(1);
            do {
                wrong = use_library(*home, pair);
                ++forks;
            } while (!ended.load() && wrong == 0);
            acts.join();
        }
        home->sweep();
        role.say(wrong != 0       ? "a child ended with " + std::to_string(wrong)
                 : failed.empty() ? std::to_string(forks)
                                  : "the operation failed: " + failed);
    }
    return 0;
}

TEST_CASE("a fork while another thread is in any public operation leaves a child that can use the library",
          "[G7][fault-23][fault-81]")
{
    const test::sampling seeds(1);
    const int enough = std::getenv("SHAREDSOCK_TEST_LONG") != nullptr ? 1000 : 24;
    INFO(seeds.text());
    test::call_survivor here;
    for (const auto& entry : test::public_operations()) {
        const std::string& name = entry.first;
        INFO(name);
        test::child_process forks("forks while a thread does one operation", {name, here.directory(), seeds.number()});
        for (int forked = 0; forked < enough;) {
            forks.tell(here.next_ticket(forks.pid()));
            const std::string heard = forks.line();
            if (const auto expected = fails_when_repeated.find(name);
                expected != fails_when_repeated.end() && heard == "the operation failed: " + expected->second) {
                ++forked;
                continue;
            }
            if (heard.find_first_not_of("0123456789") != std::string::npos) {
                FAIL_CHECK(name + ": " + heard);
                break;
            }
            forked += std::stoi(heard);
        }
        forks.close_input();
        CHECK(forks.wait() == 0);
        here.check();
    }
}
