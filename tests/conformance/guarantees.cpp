// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The guarantees of the README, in its words.
#include "conformance/shared_connection.hpp"
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace ss = sharedsock;
using test::next_message;
using test::no_message;
using test::peer;
using test::quiet;
using test::share;
using test::shared_by_three;
using test::signalled;
using test::word;

namespace {

// An owner that is in the middle of a delivery: its handler has been entered and does not return.
struct owner_in_its_handler : test::shared_with_handler {
    owner_in_its_handler()
    {
        REQUIRE(a.ask("async_select h read") == "ok");
        REQUIRE(a.ask("hold") == "ok");
        x.send("x");
        REQUIRE(a.ask("entered") == "ok");
    }
};

} // namespace

// --- G1 -----------------------------------------------------------------------------------------------------------------

TEST_CASE("a socket has at most one event registration over all handles in all processes", "[G1][REG-2]")
{
    shared_by_three s;
    for (peer* const one : {&s.a, &s.b, &s.c, &s.a}) {
        REQUIRE(one->ask("event_select h e read") == "ok");
        const std::string self = one->ask("self");
        for (peer* const asked : {&s.a, &s.b, &s.c})
            CHECK(word(asked->ask("query h"), "owner") == self);
    }
    s.x.send("x");
    CHECK(signalled(s.a));
    CHECK(quiet(s.b));
    CHECK(quiet(s.c));
}

// --- G2 -----------------------------------------------------------------------------------------------------------------

TEST_CASE("taking over from an owner that is stopped succeeds at once, and it delivers nothing when it goes on",
          "[G2][fault-9][fault-12]")
{
    test::shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");
    s.a.process().stop();
    CHECK(s.b.ask("event_select h e read") == "ok"); // not fence_pending
    s.x.send("x");
    CHECK(signalled(s.b));
    CHECK(s.b.ask("receive h 1") == "\"x\"");
    s.a.process().resume();
    CHECK(no_message(s.a));
}

TEST_CASE("an owner that is stopped in the middle of a delivery keeps the new one waiting, not out of ownership", "[G2][fault-10]")
{
    owner_in_its_handler s;
    s.a.process().stop();
    CHECK(s.b.ask("event_select h e read").find("fence_pending") != std::string::npos);
    CHECK(word(s.b.ask("query h"), "owner") == s.b.ask("self"));
    CHECK(quiet(s.b)); // gated, though there is data
    s.a.process().resume();
    REQUIRE(s.a.ask("go") == "ok");
    CHECK(signalled(s.b)); // the gate opens with the end of the old delivery
    CHECK(s.b.ask("enum h e") == "read");
    s.b.ask("receive h 1");
    s.x.send("y");
    CHECK(signalled(s.b));
    CHECK(next_message(s.a) == "h read"); // the one that it had begun
    CHECK(no_message(s.a));
}

TEST_CASE("the fence waits for a delivery that ends", "[G2]")
{
    owner_in_its_handler s;
    CHECK(s.b.ask("event_select h e read").find("fence_pending") != std::string::npos);
    REQUIRE(s.a.ask("go") == "ok");
    CHECK(signalled(s.b));
    s.b.ask("enum h e");
    s.b.ask("receive h 1");
    CHECK(s.b.ask("event_select h e read") == "ok");
}

TEST_CASE("the death of an owner in the middle of a delivery ends it", "[G2][G7][fault-5]")
{
    owner_in_its_handler s;
    s.a.process().kill(SIGKILL);
    s.a.process().wait();
    CHECK(s.b.ask("event_select h e read") == "ok");
    CHECK(signalled(s.b));
    CHECK(s.b.ask("enum h e") == "read");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
}

// --- G3 -----------------------------------------------------------------------------------------------------------------

TEST_CASE("the loser of a registration can learn of it", "[G3][REG-10]")
{
    SECTION("through its event object, if it asked to")
    {
        shared_by_three s;
        REQUIRE(s.a.ask("event_select h e read tell") == "ok");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(signalled(s.a));
        CHECK(s.a.ask("enum h e").find("lost") != std::string::npos);
        CHECK(word(s.a.ask("query h"), "owner") == s.b.ask("self")); // the new owner
    }
    SECTION("through its handler")
    {
        test::shared_with_handler s;
        REQUIRE(s.a.ask("async_select h read tell") == "ok");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(next_message(s.a) == "h lost");
    }
    SECTION("in one process, with the new owner and the reason")
    {
        test::scratch_segment segment;
        test::connection s(segment);
        const ss::segment other = ss::segment::open(segment.name());
        ss::shared_socket rival = ss::shared_socket::redeem(other, s.socket.duplicate(other.self()));
        ss::event_object ready, rivals;
        ss::select_options telling;
        telling.tell_loss = true;
        s.socket.event_select(ready, ss::network_event::read, telling);
        const std::uint32_t epoch = s.socket.registration().value().epoch;
        rival.event_select(rivals, ss::network_event::read);
        REQUIRE(ready.wait(test::patience));
        const ss::network_events told = s.socket.enum_network_events(ready);
        REQUIRE(told.lost);
        CHECK(told.lost->epoch == epoch);
        CHECK(told.lost->owner == other.self());
        CHECK_FALSE(s.socket.enum_network_events(ready).lost); // once
        s.socket.event_select(ready, ss::network_event::read, telling);
        rival.cancel_registration();
        REQUIRE(ready.wait(test::patience));
        CHECK_FALSE(s.socket.enum_network_events(ready).lost.value().owner); // no owner
    }
    SECTION("by Winsock's silence otherwise")
    {
        shared_by_three s;
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(quiet(s.a));
    }
    SECTION("later, if it was stopped at the time")
    {
        shared_by_three s;
        REQUIRE(s.a.ask("event_select h e read tell") == "ok");
        s.a.process().stop();
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        s.b.process().kill(SIGKILL);
        s.b.process().wait();
        s.a.process().resume();
        CHECK(signalled(s.a));
        CHECK(s.a.ask("enum h e").find("lost") != std::string::npos);
    }
}

// --- G4 -----------------------------------------------------------------------------------------------------------------

TEST_CASE("a condition that holds at a take-over is reported to the new owner", "[G4][REG-7]")
{
    shared_by_three s;
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    s.x.send("unread");
    REQUIRE(signalled(s.a));
    REQUIRE(s.b.ask("event_select h e read|write|close") == "ok");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "read|write");
    s.x.close();
    CHECK(s.c.ask("receive_all h") == "6");
    CHECK(signalled(s.b));
    REQUIRE(s.c.ask("event_select h e close") == "ok");
    CHECK(s.c.ask("enum h e") == "close");
}

TEST_CASE("a stream that three processes take from each other without end loses no byte, and each byte has one owner",
          "[G2][G4][REG-11]")
{
    shared_by_three s;
    constexpr std::size_t total = 20'000;
    std::string sent(total, 0);
    for (std::size_t i = 0; i < total; ++i)
        sent[i] = static_cast<char>('a' + i % 23);
    std::string received;
    std::mt19937 random(20'26);
    peer* const all[] = {&s.a, &s.b, &s.c};
    std::size_t given = 0;
    for (int rounds = 0; received.size() < total; ++rounds) {
        REQUIRE(rounds < 5'000);
        if (given < total) {
            const std::size_t more = std::min<std::size_t>(total - given, random() % 64);
            s.x.send(std::string_view(sent).substr(given, more));
            given += more;
        }
        peer& owner = *all[random() % 3];
        REQUIRE(owner.ask("event_select h e read") == "ok");
        if (given == received.size()) continue;
        REQUIRE(signalled(owner)); // there is data and a live owner, so an event reaches the owner
        REQUIRE(owner.ask("enum h e") == "read");
        const std::string got = owner.ask("receive h " + std::to_string(1 + random() % 100));
        received += got.substr(1, got.size() - 2); // without its quotes
    }
    CHECK(received == sent);
}

TEST_CASE("a standby has the events of an owner that dies, and what waited for it", "[G4][G7]")
{
    shared_by_three s;
    REQUIRE(s.a.ask("stand_by h e read") == "ok");
    REQUIRE(s.b.ask("stand_by h e read") == "ok");
    REQUIRE(s.c.ask("stand_by h e read") == "ok");
    REQUIRE(word(s.c.ask("query h"), "owner") == s.a.ask("self"));
    s.a.process().stop();
    s.x.send("waiting");
    s.a.process().kill(SIGKILL);
    s.a.process().wait();
    CHECK(signalled(s.b)); // no process swept or told B: it watches
    CHECK(s.b.ask("enum h e") == "read");
    CHECK(quiet(s.c));
    s.b.process().kill(SIGKILL);
    s.b.process().wait();
    CHECK(signalled(s.c));
    CHECK(s.c.ask("receive h 7") == "\"waiting\"");
}

// --- G5, G6: see STATE-1 and DUP-12 as well --------------------------------------------------------------------------------

TEST_CASE("a change through one handle shows through all, also in a process that never asked before", "[G5][STATE-1]")
{
    shared_by_three s;
    REQUIRE(s.a.ask("option h keepalive 1") == "ok");
    REQUIRE(s.b.ask("option h nodelay 1") == "ok");
    REQUIRE(s.c.ask("blocking h off") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    peer late(s.segment.name());
    REQUIRE(share(s.b, "h", late) == "ok");
    CHECK(late.ask("option h keepalive") == "1");
    CHECK(late.ask("option h nodelay") == "1");
    CHECK(late.ask("blocking h") == "no");
    CHECK(late.ask("query h") == s.a.ask("query h"));
}

TEST_CASE("counts stay exact when processes are killed, and the socket ends with its last holder", "[G6][G7][fault-79]")
{
    shared_by_three s;
    const std::string ticket = s.a.ask("duplicate h " + s.c.pid());
    CHECK(s.a.ask("handles h").front() == '4'); // three handles and a ticket
    s.a.process().kill(SIGKILL);
    s.a.process().wait();
    CHECK(s.b.ask("sweep") == "1");
    CHECK(s.b.ask("handles h").front() == '3');
    REQUIRE(s.b.ask("close h") == "ok");
    CHECK(s.x.quiet());
    s.c.process().kill(SIGKILL); // with its handle and the ticket
    s.c.process().wait();
    CHECK(s.x.ended());
    CHECK(s.b.ask("sweep") == "1");
    CHECK(s.b.ask("processes") == "2"); // B, and this one
}

// --- G7: every instruction and every system call are in tests/fault -----------------------------------------------------------

TEST_CASE("processes that are killed at random moments of the public calls leave a segment that all others can use",
          "[G7][fault-18]")
{
    test::scratch_segment segment({.sockets = 16, .processes = 32});
    test::plain_listener listener;
    peer home{segment.name()};
    REQUIRE(home.ask("dial h " + std::to_string(listener.port())) == "ok");
    REQUIRE(home.ask("event e") == "ok");
    test::plain_socket x = listener.accept();
    std::mt19937 random(7);
    const char* const commands[] = {"event_select h e read|write",
                                    "stand_by h e read",
                                    "enum h e",
                                    "send h x",
                                    "receive h 1 dontwait",
                                    "cancel h",
                                    "duplicate h self",
                                    "open other tcp",
                                    "drop other",
                                    "option h keepalive 1",
                                    "pass_on h",
                                    "handles h"};
    for (int victim = 0; victim < 60; ++victim) {
        peer one{segment.name()};
        REQUIRE(share(home, "h", one) == "ok");
        REQUIRE(one.ask("event e") == "ok");
        for (auto i = random() % 5; i > 0; --i)
            one.ask(commands[random() % std::size(commands)]);
        one.process().tell(commands[random() % std::size(commands)]); // killed somewhere in this one
        for (auto spin = random() % 40'000; spin > 0; --spin)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        one.process().kill(SIGKILL);
        one.process().wait();
        home.ask("sweep");
        REQUIRE(home.ask("handles h").front() == '1');
        REQUIRE(home.ask("processes") == "2");
        REQUIRE(home.ask("event_select h e read") == "ok");
        x.send("?");
        REQUIRE(signalled(home));
        REQUIRE(home.ask("enum h e").find("read") != std::string::npos);
        home.ask("receive_all h");
    }
    CHECK(home.ask("close h") == "ok");
}

// --- G8: see tests/process/hand_over/ as well -----------------------------------------------------------------------------------

TEST_CASE("a hand-over takes the bytes already read, and a tag of the application, along with the socket", "[G8]")
{
    test::scratch_segment segment;
    peer a(segment.name()), b(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x                 = listener.accept();
    const std::size_t count              = GENERATE(300u, 300'000u);
    const std::vector<std::byte> request = test::carry_pattern(42, count);
    x.send({reinterpret_cast<const char*>(request.data()), request.size()});
    x.send("the rest");
    REQUIRE(a.ask("receive_count h " + std::to_string(count)) ==
            std::to_string(count)); // the bytes that are read here are gone from the socket
    REQUIRE(a.ask("hand_over_unacknowledged h " + b.pid() + " 42 " + std::to_string(count)) == "ok"); // these very bytes
    a.process().kill(SIGKILL);
    a.process().wait();
    CHECK(b.ask("wait_hand_over h") == test::carry_line(42, count));
    CHECK(b.ask("receive h 100") == "\"the rest\"");
    CHECK(b.ask("sweep") == "1");
    CHECK(b.ask("handles h").substr(0, 2) == "1 ");
}

TEST_CASE("a hand-over is all or nothing: one that fails leaves the socket, its registration and the bytes where they were", "[G8]")
{
    test::scratch_segment segment;
    peer a(segment.name()), b(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x = listener.accept();
    REQUIRE(a.ask("event e") == "ok");
    REQUIRE(a.ask("event_select h e read") == "ok");
    b.process().kill(SIGKILL);
    b.process().wait();
    CHECK(a.ask("hand_over_unacknowledged h " + b.pid() + " 42 300") == "error: no_such_process, target_gone");
    CHECK(word(a.ask("query h"), "owner") == a.ask("self"));
    CHECK(a.ask("handles h").substr(0, 2) == "1 ");
    x.send("x");
    CHECK(signalled(a));
    CHECK(a.ask("receive h 1") == "\"x\"");
}

// --- G10: see guarantees_under_damage.cpp; tickets in dup_ticket_rules.cpp; files and headers in tests/unit ----------------------

// --- G11, G12: see guarantees_of_footprint.cpp -------------------------------------------------------------------------------
