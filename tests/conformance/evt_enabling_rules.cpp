// EVT-1 to EVT-7 and EVT-27: how often an event is recorded, which calls enable it again, and which processes notice.
#include "conformance/event_steps.hpp"

#include <sharedsock/sharedsock.hpp>

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

using test::arrives;
using test::connection_of;
using test::next_events;
using test::quiet;
using test::shared_connection;
using test::shared_listener;
using test::signalled;
using test::silent;

TEST_CASE("an event is recorded once until its re-enabling call, and the others are independent of it", "[EVT-1]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e read|write") == "ok");
    REQUIRE(next_events(s.a) == "write");
    s.x.send("1");
    CHECK(next_events(s.a) == "read");
    for (int i = 0; i < 99; ++i)
        s.x.send("2");
    CHECK(quiet(s.a));

    const auto sent = static_cast<std::size_t>(std::stoul(s.a.ask("send_until_full h")));
    CHECK(s.x.receive(sent).size() == sent);
    CHECK(next_events(s.a) == "write"); // READ is still out

    CHECK(s.a.ask("receive h 10").size() > 2);
    CHECK(next_events(s.a) == "read");
    CHECK(quiet(s.a));
}

TEST_CASE("several events are one signal of their event object, and nothing is counted", "[EVT-1]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
    s.x.send("1");
    s.x.send("!", MSG_OOB);
    REQUIRE(test::eventually([&] { return s.b.ask("receive h 1 oob peek") == "\"!\""; }));
    REQUIRE(signalled(s.a));
    CHECK(s.a.ask("enum h e") == "read|oob");
    CHECK(silent(s.a));
}

TEST_CASE("any receive re-enables READ and OOB, one that fails too, and no send does", "[EVT-2]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
    s.x.send("xy");
    s.x.send("!", MSG_OOB);
    REQUIRE(test::eventually([&] { return s.b.ask("receive h 1 oob peek") == "\"!\""; }));
    REQUIRE(signalled(s.a));
    REQUIRE(s.a.ask("enum h e") == "read|oob");
    REQUIRE(quiet(s.a));

    SECTION("peeking") { CHECK(s.a.ask("receive h 1 peek") == "\"x\""); }
    SECTION("peeking at what is urgent") { CHECK(s.a.ask("receive h 1 oob peek") == "\"!\""); }
    SECTION("with flags that the kernel refuses") { CHECK(s.a.ask("receive h 1 invalid").substr(0, 6) == "error:"); }
    SECTION("receiving") { CHECK(s.a.ask("receive h 1") == "\"x\""); }
    SECTION("after a send that did not")
    {
        CHECK(s.a.ask("send h z") == "1");
        CHECK(quiet(s.a));
        CHECK(s.a.ask("receive h 1") == "\"x\"");
    }
    CHECK(next_events(s.a) == "read|oob");
}

TEST_CASE("an accept re-enables ACCEPT, one that fails too", "[EVT-2]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e accept") == "ok");
    auto first = test::plain_socket::connect(s.port);
    REQUIRE(next_events(s.a, "l") == "accept");
    REQUIRE(s.b.ask("accept l s") == "ok");

    SECTION("that succeeded, in another process") {}
    SECTION("that found nothing") { CHECK(s.a.ask("accept l s") == "error: operation_would_block"); }
    auto second = test::plain_socket::connect(s.port);
    CHECK(next_events(s.a, "l") == "accept");
}

TEST_CASE("a call through any handle re-enables for the owner", "[EVT-3]")
{
    SECTION("a receive")
    {
        connection_of s(GENERATE("tcp", "unix"));
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send(std::string(100, 'x'));
        REQUIRE(next_events(s.a) == "read");
        REQUIRE(quiet(s.a));
        REQUIRE(s.b.ask("receive h 10") == '"' + std::string(10, 'x') + '"');
        CHECK(next_events(s.a) == "read");
    }
    SECTION("an accept")
    {
        shared_listener s;
        REQUIRE(s.a.ask("event_select l e accept") == "ok");
        auto first  = test::plain_socket::connect(s.port);
        auto second = test::plain_socket::connect(s.port);
        REQUIRE(next_events(s.a, "l") == "accept");
        REQUIRE(quiet(s.a));
        REQUIRE(s.b.ask("accept l s") == "ok");
        CHECK(next_events(s.a, "l") == "accept");
    }
    SECTION("a receive through another handle of the same process")
    {
        shared_connection s;
        REQUIRE(s.a.ask("redeem h2 " + s.a.ask("duplicate h self")) == "ok");
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send("xy");
        REQUIRE(next_events(s.a) == "read");
        REQUIRE(s.a.ask("receive h2 1") == "\"x\"");
        CHECK(next_events(s.a) == "read");
    }
}

TEST_CASE("one receive for each READ is a correct program", "[EVT-4]")
{
    SECTION("of a stream")
    {
        connection_of s(GENERATE("tcp", "unix"));
        s.x.send(std::string(100, 'x'));
        REQUIRE(arrives(s.a, std::string(100, 'x')));
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        for (int i = 0; i < 10; ++i) {
            REQUIRE(next_events(s.a) == "read");
            REQUIRE(s.a.ask("receive h 10").size() == 12);
        }
        CHECK(quiet(s.a));
    }
    SECTION("of records")
    {
        connection_of s("seqpacket");
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        for (int i = 0; i < 10; ++i)
            s.x.send("record");
        for (int i = 0; i < 10; ++i) {
            REQUIRE(next_events(s.a) == "read");
            REQUIRE(s.a.ask("receive h 10") == "\"record\"");
        }
        CHECK(quiet(s.a));
    }
}

TEST_CASE("one accept for each ACCEPT is a correct program", "[EVT-4]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e accept") == "ok");
    std::vector<test::plain_socket> all;
    for (int i = 0; i < 5; ++i)
        all.push_back(test::plain_socket::connect(s.port));
    for (int i = 0; i < 5; ++i) {
        REQUIRE(next_events(s.a, "l") == "accept");
        REQUIRE(s.a.ask("accept l s") == "ok");
    }
    CHECK(quiet(s.a));
    CHECK(s.a.ask("accept l s") == "error: operation_would_block");
}

TEST_CASE("an event that arises while it is not nominated is recorded when it is nominated", "[EVT-5]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e write") == "ok");
    REQUIRE(next_events(s.a) == "write");

    SECTION("READ, in the same process")
    {
        s.x.send("x");
        CHECK(silent(s.a));
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        CHECK(next_events(s.a) == "read");
    }
    SECTION("READ, in another")
    {
        s.x.send("x");
        CHECK(silent(s.a));
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(next_events(s.b) == "read");
    }
    SECTION("CLOSE")
    {
        s.x.close();
        CHECK(silent(s.a));
        REQUIRE(s.a.ask("event_select h e read|close") == "ok");
        CHECK(next_events(s.a) == "close");
    }
}

TEST_CASE("an event is a hint: another process may be faster, and nothing is lost by it", "[EVT-6]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    REQUIRE(s.b.ask("receive h 10") == "\"x\"");
    CHECK(s.a.ask("enum h e") == "read");
    CHECK(s.a.ask("receive h 10") == "error: operation_would_block");
    s.x.send("y");
    CHECK(next_events(s.a) == "read");
    CHECK(s.a.ask("receive h 10") == "\"y\"");
}

TEST_CASE("a recorded event leaves the record by enumeration only, or with its registration", "[EVT-7]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    REQUIRE(s.a.ask("receive h 10") == "\"x\"");

    SECTION("by enumeration")
    {
        CHECK(s.a.ask("enum h e") == "read");
        CHECK(s.a.ask("enum h e") == "none");
    }
    SECTION("with the registration")
    {
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(s.a.ask("enum h") == "none");
        CHECK(silent(s.b));
    }
    SECTION("by its cancellation")
    {
        REQUIRE(s.b.ask("cancel h") == "ok");
        CHECK(s.a.ask("enum h") == "none");
    }
}

TEST_CASE("a thread that only polls the descriptor of an event object wakes", "[EVT-27]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("poll e 0") == "no");

    SECTION("for what the kernel shows")
    {
        REQUIRE(s.a.ask("start t poll e 20000") == "ok");
        s.x.send("x");
        CHECK(s.a.ask("join t") == "yes");
        CHECK(s.a.ask("sig e") == "yes");
    }
    SECTION("for what another process has re-enabled")
    {
        s.x.send("xy");
        REQUIRE(next_events(s.a) == "read");
        REQUIRE(quiet(s.a));
        REQUIRE(s.a.ask("poll e 0") == "no");
        REQUIRE(s.a.ask("start t poll e 20000") == "ok");
        REQUIRE(s.b.ask("receive h 1") == "\"x\"");
        CHECK(s.a.ask("join t") == "yes");
        CHECK(s.a.ask("sig e") == "yes");
    }
    SECTION("for what another process has collected")
    {
        REQUIRE(s.a.ask("start t poll e 20000") == "ok");
        s.x.send("x");
        CHECK(test::eventually([&] { return s.b.ask("enum h") == "read"; }));
        CHECK(s.a.ask("join t") == "yes");
        CHECK(s.a.ask("sig e") == "yes");
    }
}

TEST_CASE("no wake-up is lost when one thread of the owner waits and another receives", "[EVT-3][EVT-4][DUP-15]")
{
    namespace ss        = sharedsock;
    constexpr int bytes = 30'000;
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    ss::event_object ready;
    s.socket.event_select(ready, ss::network_event::read | ss::network_event::close);
    std::atomic<int> turns{0}; // that the receiver may take; negative: none any more
    std::size_t received = 0;
    std::thread receiver([&] {
        for (int taken = 0;; ++taken) {
            for (int now = turns.load(); now == taken; now = turns.load())
                turns.wait(now);
            if (turns.load() < 0) return;
            std::byte room[7]; // more than has come, as a rule: then only later bytes may be an event
            ss::error_code ec;
            received += s.socket.receive(room, 0, ec);
        }
    });
    std::thread sender([&] {
        const int now = 1;
        ::setsockopt(s.peer, IPPROTO_TCP, 1, &now, sizeof now); // TCP_NODELAY
        for (int i = 0; i < bytes; ++i)
            s.say("x");
        s.close_peer();
    });
    bool closed = false;
    while (!closed && ready.wait(test::patience)) {
        const ss::network_events happened = s.socket.enum_network_events(ready);
        closed                            = happened.has(ss::network_event::close);
        if (!happened.has(ss::network_event::read)) continue;
        turns.fetch_add(1);
        turns.notify_all();
    }
    CHECK(closed); // CLOSE comes after the last byte
    sender.join();
    turns.store(-1);
    turns.notify_all();
    receiver.join();
    CHECK(received == bytes);
}
