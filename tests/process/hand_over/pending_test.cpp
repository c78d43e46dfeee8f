// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Acknowledged hand-overs: threads that wait, full mailboxes, loops of the program's own, and the giver's own process.
#include "process/hand_over/giving_scene.hpp"
#include "support/carry_pattern.hpp"
#include "support/deadline.hpp"
#include "support/eventually.hpp"

#include <sharedsock/hand_over.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::carry_line;
using test::carry_pattern;
using test::id_of;
using test::not_taken;
using test::records_in_use;
using test::shared_stream;

TEST_CASE("a thread that waits for its target is woken though another thread serves", "[G13]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    const auto serving = segment->serve_in_thread();
    for (std::uint64_t i = 0; i < 100; ++i) {
        shared_stream s(segment);
        const auto target = id_of(segment, b);
        auto given        = std::async(std::launch::async, [&] { ss::hand_over(std::move(s.socket), target, {{}, i}); });
        REQUIRE(b.ask("wait_hand_over h") == carry_line(i, 0));
        REQUIRE(given.wait_for(500ms * test::slowness) == std::future_status::ready); // without its tick
        given.get();
        REQUIRE(talk(b, s.x));
    }
}

TEST_CASE("a return leaves a handle its place in the standby queue", "[G13]")
{
    test::giving_scene s;
    test::peer c(s.segment.name());
    REQUIRE(share(s.a, "h", c) == "ok");
    REQUIRE(c.ask("event e") == "ok");
    REQUIRE(c.ask("event_select h e read") == "ok"); // C owns the events
    REQUIRE(s.a.ask("stand_by h e read") == "ok");
    s.b.process().stop();
    CHECK(s.a.ask("hand_over " + s.line(1) + " 50") == not_taken);
    REQUIRE(c.ask("cancel h") == "ok");
    CHECK(s.a.ask("query h").find("owner=" + s.a.ask("self")) != std::string::npos);
}

TEST_CASE("a full mailbox is waited for within the limit, and then the socket is still the giver's", "[G13][fault-43]")
{
    test::scratch_segment segment({.sockets = 2'000, .processes = 8});
    test::peer b(segment.name());
    const ss::process_id target = id_of(segment, b);
    b.process().stop();
    std::vector<test::plain_socket> peers;
    ss::error_code ec;
    while (!ec) {
        shared_stream s(segment);
        ss::hand_over_unacknowledged(std::move(s.socket), target, {}, ec);
        if (!ec) peers.push_back(std::move(s.x));
    }
    REQUIRE(ec == ss::errc::mailbox_full);
    shared_stream last(segment);
    ss::hand_over(std::move(last.socket), target, {}, {.limit = 200ms}, ec);
    CHECK(ec == ss::errc::mailbox_full);
    CHECK(last.socket.send("ours") == 4);
    ss::pending_hand_over none(std::move(last.socket), target, {}, ec);
    CHECK(ec == ss::errc::mailbox_full);
    CHECK_FALSE(none);
    CHECK(last.socket.is_open());
    auto given = std::async(std::launch::async, [&] { ss::hand_over(std::move(last.socket), target, {{}, 99}); });
    b.process().resume();
    for (std::size_t i = 0; i < peers.size(); ++i)
        REQUIRE(b.ask("wait_hand_over h") == carry_line(0, 0));
    CHECK(b.ask("wait_hand_over h") == carry_line(99, 0));
    given.get();
}

TEST_CASE("a pending hand-over shows its settlement in a loop of the program's own, and is taken back as it was", "[G13]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    const auto serving = segment->serve_in_thread();
    shared_stream s(segment);
    ss::error_code ec;
    CHECK(ss::pending_hand_over().state(ec) == ss::hand_over_state::returned);
    CHECK(ec == ss::errc::closed_handle);
    const std::uint64_t id = s.socket.id();

    ss::pending_hand_over given(std::move(s.socket), id_of(segment, b), {carry_pattern(1, 10), 1});
    CHECK_FALSE(s.socket.is_open());
    CHECK(given.state(ec) == ss::hand_over_state::pending);
    s.socket = given.take_back(ec);
    REQUIRE(s.socket.is_open());
    CHECK(s.socket.id() == id);
    CHECK(b.ask("receive_hand_over h") == "none");

    given = ss::pending_hand_over(std::move(s.socket), id_of(segment, b), {carry_pattern(2, 10), 2});
    pollfd shown{given.native_handle(ec), POLLIN, 0};
    CHECK(::poll(&shown, 1, 0) == 0);
    const bool takes = GENERATE(true, false);
    if (takes)
        REQUIRE(b.ask("wait_hand_over h") == carry_line(2, 10));
    else
        REQUIRE(test::eventually([&] { return b.ask("decline_hand_over") == "tag=2 count=10"; }));
    CHECK(::poll(&shown, 1, static_cast<int>(test::patience.count())) == 1);
    CHECK(given.state(ec) == (takes ? ss::hand_over_state::taken : ss::hand_over_state::returned));
    CHECK(ec == (takes ? ss::error_code() : ss::error_code(ss::errc::hand_over_declined)));
    CHECK(::poll(&shown, 1, 0) == 1); // for as long as the object lives
    CHECK(given.take_back(ec).is_open() == !takes);
    CHECK_FALSE(ec);
    CHECK_FALSE(given);
    if (takes) CHECK(talk(b, s.x));
}

TEST_CASE("a pending hand-over that is destroyed takes the socket back and closes it", "[G13]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment);
    {
        const ss::pending_hand_over given(std::move(s.socket), id_of(segment, b));
        CHECK(records_in_use(segment) == 2);
    }
    CHECK(records_in_use(segment) == 0);
    CHECK(s.x.ended());
    CHECK(b.ask("receive_hand_over h") == "none");
}

TEST_CASE("a socket that is handed over to its own process waits in the mailbox, and a pending one comes back from there", "[G13]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    ss::error_code ec;
    ss::hand_over(std::move(s.socket), segment->self(), {{}, 1});
    auto got = ss::receive_hand_over(segment);
    REQUIRE(got);
    CHECK(got->tag == 1);

    ss::pending_hand_over given(std::move(got->socket), segment->self(), {{}, 2});
    CHECK(given.state(ec) == ss::hand_over_state::pending);
    s.socket = given.take_back(ec);
    CHECK_FALSE(ss::receive_hand_over(segment));
    given = ss::pending_hand_over(std::move(s.socket), segment->self(), {{}, 3});
    got   = ss::receive_hand_over(segment);
    REQUIRE(got);
    CHECK(given.state(ec) == ss::hand_over_state::taken);
    CHECK(got->socket.send("x") == 1);
    CHECK(s.x.receive(1) == "x");
}
