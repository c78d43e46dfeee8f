// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// exit(3) while other threads are inside the library: its own objects with static lifetime outlive them all, and the
// user's leave the same records as a death.
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include <sys/socket.h>

namespace ss = sharedsock;

namespace {

// exit(3) destroys these, the first of them before the library had anything static.
struct user_objects {
    ss::segment segment;
    ss::shared_socket socket;
    ss::event_object event;
    std::shared_ptr<void> server;
};
user_objects early;
std::atomic<int> rounds{0};

// Calls for ever, on objects of its own, each function of the library that has something static behind it.
void use_for_ever(ss::segment where)
{
    for (;;) {
        test::connection own(where);
        ss::event_object event;
        ss::error_code full;
        own.socket.event_select(event, ss::network_event::read, {}, full);
        const ss::ticket ticket = own.socket.duplicate(where.self(), full);
        if (!full) ss::shared_socket::redeem(where, ticket, full);
        const ss::segment another = ss::segment::open(where.name(), {}, full);
        ++rounds;
    }
}

} // namespace

/// args: segment, whether it is another thread that exits. Says "ready", and exits on command.
SHAREDSOCK_CHILD_ROLE(exits while its threads are inside)
{
    static user_objects late; // made when the library's are there
    for (user_objects* const one : {&early, &late}) {
        one->segment = ss::segment::open(role.args.at(0));
        one->socket  = ss::shared_socket::open(one->segment, AF_INET, SOCK_STREAM);
        one->socket.event_select(one->event, ss::network_event::read);
        one->server = one->segment.serve_in_thread();
    }
    for (int thread = 0; thread < 3; ++thread)
        std::thread(use_for_ever, early.segment).detach();
    while (rounds < 10)
        std::this_thread::yield();
    role.say("ready");
    role.hear();
    if (role.args.at(1) == "no") std::exit(7);
    std::thread([] { std::exit(7); }).detach();
    use_for_ever(late.segment);
    return 0;
}

TEST_CASE("a process that exits while its threads are inside the library ends in order, and leaves the same as a killed one",
          "[fault-32][G7]")
{
    test::scratch_segment home({.sockets = 64, .processes = 32});
    for (int round = 0; round < 10; ++round) {
        for (const char* const elsewhere : {"no", "yes"}) {
            test::child_process child("exits while its threads are inside", {home.name(), elsewhere});
            child.wait_for("ready");
            child.tell("exit");
            CHECK(child.wait() == 7);
            CHECK(test::eventually([&] { return home->sweep(), home->processes().size() == 1; }));
        }
    }
    test::connection whole(home); // every record is free again
    CHECK(whole.socket.handles().size() == 1);
    std::vector<ss::shared_socket> all;
    for (int socket = 1; socket < 64; ++socket)
        all.push_back(ss::shared_socket::open(*home, AF_INET, SOCK_STREAM));
    CHECK(all.size() == 63);
}
