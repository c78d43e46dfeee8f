// ENUM-9: event objects, and the ways to wait for them.
#include "conformance/collecting_steps.hpp"
#include "support/foreign_loops.hpp"

#include <cstddef>
#include <string>
#include <thread>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ss = sharedsock;

using test::shared_connection;
using test::signalled;

TEST_CASE("an event object is a manual-reset flag of one process", "[ENUM-9]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    REQUIRE(a.ask("event e") == "ok");
    CHECK(a.ask("sig e") == "no");
    CHECK(a.ask("wait e 0") == "no");
    REQUIRE(a.ask("set e") == "ok");
    REQUIRE(a.ask("set e") == "ok");
    CHECK(a.ask("wait e 0") == "yes");
    CHECK(a.ask("sig e") == "yes");        // waiting alters nothing
    CHECK(a.ask("in_fork sig e") == "no"); // a forked child has a fresh object of its own ...
    CHECK(a.ask("in_fork set e") == "ok");
    CHECK(a.ask("sig e") == "yes");
    CHECK(a.ask("inherited_by_exec e") == "no"); // ... and a program that is executed has none
    REQUIRE(a.ask("reset e") == "ok");
    CHECK(a.ask("sig e") == "no");
    CHECK(a.ask("in_fork set e") == "ok");
    CHECK(a.ask("sig e") == "no");
}

TEST_CASE("waiting for any returns the first that is set, waiting for all returns when all are, and neither alters one", "[ENUM-9]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    REQUIRE(a.ask("events e 3") == "ok");
    CHECK(a.ask("wait_any 0 e*3") == "none");
    REQUIRE(a.ask("set e1") == "ok");
    REQUIRE(a.ask("set e2") == "ok");
    CHECK(a.ask("wait_any 0 e*3") == "1");
    CHECK(a.ask("wait_any 0 e2 e1") == "0");
    CHECK(a.ask("wait_all 0 e*3") == "no");
    REQUIRE(a.ask("start t wait_all 60000 e*3") == "ok");
    REQUIRE(a.ask("set e0") == "ok");
    CHECK(a.ask("join t") == "yes");
    for (const char* one : {"e0", "e1", "e2"})
        CHECK(a.ask(std::string("sig ") + one) == "yes");
}

TEST_CASE("any number of event objects may be waited for", "[ENUM-9]")
{
    shared_connection s;
    REQUIRE(s.a.ask("events e 300") == "ok");

    SECTION("until any is set by an event of a socket")
    {
        REQUIRE(s.a.ask("event_select h e217 read") == "ok");
        CHECK(s.a.ask("wait_any 0 e*300") == "none");
        REQUIRE(s.a.ask("start t wait_any 60000 e*300") == "ok");
        s.x.send("x");
        CHECK(s.a.ask("join t") == "217");
    }
    SECTION("until all are set, the last by an event of a socket")
    {
        REQUIRE(s.a.ask("event_select h e64 read") == "ok");
        for (int i = 0; i < 300; ++i)
            if (i != 64) REQUIRE(s.a.ask("set e" + std::to_string(i)) == "ok");
        CHECK(s.a.ask("wait_all 0 e*300") == "no");
        REQUIRE(s.a.ask("start t wait_all 60000 e*300") == "ok");
        s.x.send("x");
        CHECK(s.a.ask("join t") == "yes");
        CHECK(s.a.ask("sig e64") == "yes");
    }
    SECTION("as far as the limit of open files, and beyond it the call says so")
    {
        REQUIRE(s.a.ask("limit_descriptors 0") == "ok");
        CHECK(s.a.ask("wait_any 60000 e*300 e*300 e*300 e*300") == "error: invalid_argument, too_many_wait_objects");
        REQUIRE(s.a.ask("limit_descriptors off") == "ok");
        CHECK(s.a.ask("wait_any 0 e*300") == "none");
    }
}

TEST_CASE("waiting for all means at one moment: objects that are set in turns never satisfy it", "[ENUM-9]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    REQUIRE(a.ask("events e 2") == "ok");
    REQUIRE(a.ask("start t wait_all 3600000 e*2") == "ok");
    REQUIRE(a.ask("alternate e0 e1 20000") == "ok");
    CHECK(a.ask("running t") == "yes");
    REQUIRE(a.ask("set e1") == "ok");
    REQUIRE(a.ask("set e0") == "ok");
    CHECK(a.ask("join t") == "yes");
}

namespace {

// A registers, and its loop waits for the descriptor of its event object alone, in the way that is given.
void wakes_a_loop(const std::string& way)
{
    shared_connection s;
    const auto asks = [&](int limit) { return s.a.ask(way + " e " + std::to_string(limit)); };
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    CHECK(asks(0) == "no");

    REQUIRE(s.a.ask("start t " + way + " e 60000") == "ok"); // for an event that the kernel shows
    s.x.send("xyz");
    CHECK(s.a.ask("join t") == "yes");
    CHECK(asks(0) == "yes"); // a level: until it is collected
    CHECK(s.a.ask("enum h e") == "read");
    CHECK(asks(0) == "no");

    REQUIRE(s.a.ask("start t " + way + " e 60000") == "ok"); // for an event that another process has re-enabled
    REQUIRE(s.b.ask("receive h 1") == "\"x\"");
    CHECK(s.a.ask("join t") == "yes");
    CHECK(s.a.ask("enum h e") == "read");
    CHECK(asks(0) == "no");

    REQUIRE(s.a.ask("start t " + way + " e 60000") == "ok"); // for a signal by hand
    REQUIRE(s.a.ask("set e") == "ok");
    CHECK(s.a.ask("join t") == "yes");
    REQUIRE(s.a.ask("reset e") == "ok");
    CHECK(asks(0) == "no");
}

} // namespace

TEST_CASE("an event object wakes a loop of poll", "[ENUM-9][EVT-27]") { wakes_a_loop("poll"); }
TEST_CASE("an event object wakes a loop of epoll, level-triggered", "[ENUM-9][EVT-27]") { wakes_a_loop("epoll"); }
TEST_CASE("an event object wakes a loop of epoll, edge-triggered", "[ENUM-9][EVT-27]") { wakes_a_loop("epoll_edge"); }
TEST_CASE("an event object wakes a loop of select", "[ENUM-9][EVT-27]") { wakes_a_loop("select"); }
TEST_CASE("an event object wakes an io_context of Asio", "[ENUM-9][EVT-27]") { wakes_a_loop("asio"); }

TEST_CASE("one epoll that watches an event object edge-triggered wakes for each event, each re-enabling and each signal by hand",
          "[ENUM-9][EVT-27]")
{
    shared_connection s;
    const auto wakes   = [&] { return s.a.ask("edge l " + std::to_string(test::patience.count() / 2)) == "yes"; };
    const auto is_idle = [&] { return s.a.ask("edge l 0") == "no"; };
    REQUIRE(s.a.ask("edge_loop l e") == "ok"); // before the registration, and never added again
    REQUIRE(s.a.ask("event_select h e read|write|close") == "ok");
    REQUIRE(wakes()); // WRITE, which holds already
    REQUIRE(s.a.ask("enum h e") == "write");
    CHECK(is_idle());

    for (int round = 0; round < 3; ++round) {
        INFO("round " << round);
        s.x.send("xyz");
        REQUIRE(wakes()); // for an event that the kernel shows
        CHECK(is_idle()); // the wake-up is an edge
        REQUIRE(s.a.ask("enum h e") == "read");
        REQUIRE(s.b.ask("receive h 1") == "\"x\"");
        REQUIRE(wakes()); // for an event that another process has re-enabled
        REQUIRE(s.a.ask("enum h e") == "read");
        REQUIRE(s.a.ask("receive h 1") == "\"y\"");
        REQUIRE(wakes()); // for an event that the process itself has re-enabled
        REQUIRE(s.a.ask("enum h e") == "read");
        REQUIRE(s.a.ask("receive h 1") == "\"z\"");
        CHECK(s.a.ask("enum h e") == "none");
        s.a.ask("edge l 0"); // a wake-up in vain is permitted: the last receive has looked anew

        REQUIRE(s.a.ask("set e") == "ok");
        REQUIRE(wakes());
        REQUIRE(s.a.ask("reset e") == "ok");
        REQUIRE(s.a.ask("set e") == "ok");
        REQUIRE(wakes());
        REQUIRE(s.a.ask("reset e") == "ok");
        CHECK(is_idle());
    }
    REQUIRE(s.b.ask("event_select h e read") == "ok"); // for a while the events belong to B
    s.x.send("b");
    REQUIRE(signalled(s.b));
    s.a.ask("edge l 0");
    s.a.ask("sig e"); // a loop answers each wake-up by a call, also one that was for B
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    REQUIRE(wakes()); // for an event that holds when A registers anew
    REQUIRE(s.a.ask("enum h e") == "read");
    REQUIRE(s.a.ask("receive h 9") == "\"b\"");
    s.x.close();
    REQUIRE(wakes());
    CHECK(s.a.ask("enum h e") == "close");
}

TEST_CASE("one epoll that watches an event object edge-triggered misses no event under fire", "[ENUM-9][EVT-27][EVT-4]")
{
    constexpr std::size_t bytes = 20'000 / test::slowness;
    test::scratch_segment segment;
    test::connection s(segment, GENERATE(AF_INET, AF_UNIX));
    ss::event_object ready;
    test::edge_triggered_loop loop(ready.native_handle());
    s.socket.event_select(ready, ss::network_event::read | ss::network_event::close);
    std::thread sender([&] {
        const int now = 1;
        ::setsockopt(s.peer, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
        for (std::size_t i = 0; i < bytes; ++i)
            s.say("x");
        s.close_peer();
    });
    std::size_t received = 0;
    bool closed = false, woken = true;
    while (!closed && (woken = loop.wakes(test::patience))) {
        const ss::network_events happened = s.socket.enum_network_events(ready);
        closed                            = happened.has(ss::network_event::close);
        if (!happened.has(ss::network_event::read)) continue;
        std::byte room[7]; // one receive for each READ
        ss::error_code ec;
        received += s.socket.receive(room, 0, ec);
    }
    CHECK(woken);
    sender.join();
    CHECK(received == bytes);
}
