// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Tickets where a mailbox or a descriptor table is full.
#include "process/shared_stream.hpp"
#include "process/ticket/ticket_words.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::descriptors_of;
using test::either_family;
using test::id_of;
using test::newcomer;
using test::records_in_use;
using test::shared_stream;
using test::used;

namespace {

constexpr const char* no_descriptors = "error: too_many_files_open";

} // namespace

TEST_CASE("a target that does not read gets as many tickets as its mailbox holds, and then all are good", "[ERR-2][fault-43]")
{
    test::scratch_segment segment({.sockets = 8, .processes = 4, .handles = 4'096});
    test::peer b(segment.name());
    shared_stream s(segment, either_family());
    const ss::process_id target = id_of(segment, b);
    std::vector<ss::ticket> tickets{s.socket.duplicate(target)};
    const std::size_t before = descriptors_of(::getpid());
    ss::error_code ec;
    while (!ec && tickets.size() < 4'000) {
        const ss::ticket one = s.socket.duplicate(target, ec);
        if (!ec) tickets.push_back(one);
    }
    REQUIRE(ec == ss::errc::mailbox_full);
    CHECK(ec == std::errc::no_buffer_space);
    CHECK(tickets.size() >= 200);
    for (int again = 0; again < 50; ++again) {
        s.socket.duplicate(target, ec);
        CHECK(ec == ss::errc::mailbox_full);
    }
    CHECK(s.socket.handles().size() == tickets.size() + 1);
    CHECK(records_in_use(segment) == tickets.size() + 1);
    CHECK(descriptors_of(::getpid()) == before);

    REQUIRE(b.ask("poll_segment") == "ok");
    tickets.push_back(s.socket.duplicate(target)); // the mailbox has room again
    s.socket.close();
    for (const ss::ticket& one : tickets) {
        REQUIRE(redeem(b, one) == "ok"); // the handle of the last one goes with its name
        REQUIRE(redeem(b, one, "g") == used);
    }
    CHECK(talk(b, s.x));
    CHECK(b.ask("drop h") == "ok");
    CHECK(s.x.ended());
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("with few descriptors left a redemption succeeds or leaves the ticket good", "[DUP-9][fault-40]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment, either_family());
    const ss::ticket first = s.ticket_for(b), second = s.ticket_for(b);
    s.socket.close();
    bool redeemed = false;
    for (int room = 0; room < 8 && !redeemed; ++room) {
        REQUIRE(b.ask("limit_descriptors " + std::to_string(room)) == "ok");
        const std::string answer = redeem(b, first);
        INFO("room for " << room << ": " << answer);
        CHECK((answer == "ok" || answer == no_descriptors));
        redeemed = answer == "ok";
        REQUIRE(b.ask("limit_descriptors off") == "ok");
        CHECK(s.x.quiet(0ms));
    }
    CHECK(redeemed);
    CHECK(talk(b, s.x));
    CHECK(redeem(b, second, "g") == "ok");
    CHECK(b.ask("close h") == "ok");
    CHECK(b.ask("close g") == "ok");
    CHECK(s.x.ended()); // no copy was left anywhere
}

TEST_CASE("a ticket for a spawned process is not lost for want of descriptors", "[DUP-9]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    newcomer b(segment.name());
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.pid());
    b.attach();
    REQUIRE(b.peer.ask("limit_descriptors 0") == "ok");
    CHECK(redeem(b.peer, ticket) == no_descriptors);
    REQUIRE(b.peer.ask("limit_descriptors off") == "ok");
    CHECK(redeem(b.peer, ticket) == "ok");
    CHECK(talk(b.peer, s.x));
}

TEST_CASE("a source without a descriptor left says so, and nothing is left of the attempt", "[ERR-2]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    shared_stream s(segment);
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    REQUIRE(a.ask("limit_descriptors 0") == "ok");
    CHECK(a.ask("duplicate h " + b.pid()) == no_descriptors);
    CHECK(records_in_use(segment) == 1);
    REQUIRE(a.ask("limit_descriptors off") == "ok");
    CHECK(b.ask("redeem h " + a.ask("duplicate h " + b.pid())) == "ok");
    REQUIRE(a.ask("limit_descriptors 0") == "ok");
    CHECK(b.ask("redeem g " + a.ask("duplicate h " + b.pid())) == "ok"); // the way to B is open already
}
