// EVT-18 to EVT-22: CLOSE.
#include "conformance/event_steps.hpp"
#include "support/skip.hpp"

#include <string>

using test::connection_of;
using test::next_events;
using test::shared_connection;
using test::silent;

TEST_CASE("CLOSE tells an end in order from a reset", "[EVT-18]")
{
    const std::string kind = GENERATE("tcp", "unix", "seqpacket");
    connection_of s(kind);
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");

    SECTION("the peer ends its stream")
    {
        s.x.shutdown_send();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("the peer closes")
    {
        s.x.close();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("the peer answers our end")
    {
        REQUIRE(s.a.ask("shutdown h send") == "ok");
        CHECK(silent(s.a));
        s.x.close();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("the peer answers the end that another process sent")
    {
        REQUIRE(s.b.ask("shutdown h send") == "ok");
        CHECK(silent(s.a));
        s.x.close();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("the peer resets")
    {
        REQUIRE(s.a.ask("send h unread") == "6"); // unread data makes AF_UNIX reset
        s.x.reset();
        CHECK(next_events(s.a) == "close=connection_reset");
    }
    SECTION("the peer resets and another process is told first")
    {
        REQUIRE(s.a.ask("send h unread") == "6");
        s.x.reset();
        REQUIRE(test::eventually([&] { return s.b.ask("receive h 1") == "error: connection_reset"; }));
        CHECK(next_events(s.a) == "close=connection_reset");
        REQUIRE(s.b.ask("event_select h e close") == "ok");
        CHECK(s.b.ask("enum h e") == "close=connection_reset");
    }
    CHECK(silent(s.a));
}

TEST_CASE("a peer that takes nothing until the time is up is CLOSE with connection_aborted", "[EVT-18]")
{
    shared_connection s;
    REQUIRE(s.b.ask("option h user_timeout 300") == "ok");
    REQUIRE(s.a.ask("event_select h e close") == "ok");
    REQUIRE(std::stoul(s.b.ask("send_until_full h")) > 0); // X does not receive
    CHECK(next_events(s.a) == "close=connection_aborted");
    CHECK(s.a.ask("receive h 1") == "error: timed_out");
    CHECK(s.b.ask("send h x") == "error: timed_out"); // STATE-9
    CHECK(silent(s.a));
}

TEST_CASE("a peer that is cut off is CLOSE with connection_aborted", "[EVT-18]")
{
    test::two_processes s;
    if (s.a.ask("network new") != "yes" || s.b.ask("network " + s.a.pid()) != "yes") {
        test::skip("this process may not make a network of its own");
        return;
    }
    const std::string port = s.b.ask("listener l");
    REQUIRE(s.a.ask("dial h " + port) == "ok");
    REQUIRE(s.b.ask("accept l x") == "ok");
    REQUIRE(s.a.ask("option h user_timeout 300") == "ok");
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    REQUIRE(s.a.ask("remove_address lo") == "ok"); // the interface goes down, and nothing gets through
    REQUIRE(s.a.ask("send h x") == "1");
    CHECK(next_events(s.a) == "close=connection_aborted");
    CHECK(silent(s.a));
}

TEST_CASE("a peer that routers call unreachable until the time is up is CLOSE with connection_aborted", "[EVT-18][EVT-26]")
{
    test::two_processes s;
    if (s.a.ask("network new") != "yes" || s.b.ask("network " + s.a.pid()) != "yes") {
        test::skip("this process may not make a network of its own");
        return;
    }
    const std::string what = GENERATE("network", "host");
    const std::string port = s.b.ask("listener l");
    REQUIRE(s.a.ask("dial h " + port) == "ok");
    REQUIRE(s.b.ask("accept l x") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("option h user_timeout 300") == "ok");
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    REQUIRE(s.b.ask("deaf " + s.b.ask("fd x")) == "ok");
    REQUIRE(s.b.ask("start t unreachable " + what + " " + port) == "ok");
    do { // until one comes after the router has begun to listen
        REQUIRE(s.a.ask("send h x") == "1");
    } while (s.b.ask("running t") == "yes");
    REQUIRE(s.b.ask("join t") == "ok");
    CHECK(next_events(s.a) == "close=connection_aborted");
    CHECK(s.a.ask("receive h 1") == "error: " + what + "_unreachable"); // the reason itself, for ever (STATE-9)
    CHECK(s.b.ask("send h x") == "error: " + what + "_unreachable");
    REQUIRE(s.b.ask("event_select h e close") == "ok");
    CHECK(s.b.ask("enum h e") == "close=connection_aborted");
}

// No Linux kernel ends a TCP connection with ENETDOWN by itself, so here a receive is made to fail with it.
TEST_CASE("a connection that ended because the network is down is CLOSE with network_down, in every process", "[EVT-18][EVT-26]")
{
    shared_connection s;
    REQUIRE(s.a.ask("fail_calls " + s.a.ask("fd h") + " network_down") == "ok");
    s.x.reset();
    REQUIRE(s.a.ask("receive h 1 dontwait") == "error: network_down"); // the kernel has closed the connection by then
    for (test::peer* const one : {&s.b, &s.a}) {
        REQUIRE(one->ask("event_select h e read|close") == "ok");
        CHECK(next_events(*one) == "close=network_down");
        CHECK(one->ask("receive h 1") == "error: network_down");
    }
}

TEST_CASE("CLOSE comes after the data is read by any process, and at once for a reset", "[EVT-19]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    s.x.send("12345678");

    SECTION("in order")
    {
        s.x.close();
        CHECK(next_events(s.a) == "read");
        REQUIRE(s.b.ask("receive h 4") == "\"1234\"");
        CHECK(next_events(s.a) == "read");
        REQUIRE(s.b.ask("receive h 4") == "\"5678\"");
        CHECK(next_events(s.a) == "close");
    }
    SECTION("in order, and READ was never collected")
    {
        s.x.close();
        REQUIRE(test::signalled(s.a));
        REQUIRE(s.b.ask("receive h 8") == "\"12345678\"");
        std::string seen = next_events(s.a);
        if (seen == "read") seen += "|" + next_events(s.a);
        CHECK(seen == "read|close");
    }
    SECTION("a reset")
    {
        REQUIRE(next_events(s.a) == "read");
        REQUIRE(s.a.ask("send h unread") == "6");
        s.x.reset();
        CHECK(next_events(s.a) == "close=connection_reset");
        CHECK(s.a.ask("receive h 8") == "\"12345678\""); // Linux keeps it
    }
}

TEST_CASE("CLOSE of records comes after the last of them", "[EVT-19]")
{
    connection_of s("seqpacket");
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    s.x.send("one");
    s.x.send("two");
    s.x.close();
    CHECK(next_events(s.a) == "read");
    REQUIRE(s.b.ask("receive h 8") == "\"one\"");
    CHECK(next_events(s.a) == "read");
    REQUIRE(s.b.ask("receive h 8") == "\"two\"");
    CHECK(next_events(s.a) == "close");
}

TEST_CASE("CLOSE does not wait for data when READ is not nominated", "[EVT-20]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e close") == "ok");
    s.x.send("12345678");
    s.x.close();
    CHECK(next_events(s.a) == "close");
    CHECK(s.a.ask("receive h 100") == "\"12345678\"");
    CHECK(s.a.ask("receive h 100") == "end");
    CHECK(silent(s.a));
}

TEST_CASE("CLOSE is recorded once under a registration, and anew under the next", "[EVT-21]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e read|write|connect|close") == "ok");
    REQUIRE(next_events(s.a) == "write");
    s.x.close();
    REQUIRE(next_events(s.a) == "close");
    for (int i = 0; i < 3; ++i)
        CHECK(s.a.ask("receive h 1") == "end");
    CHECK(silent(s.a));
    for (int i = 0; i < 3; ++i)
        s.b.ask("send h x");
    CHECK(silent(s.a)); // no WRITE after CLOSE, no second CLOSE
    REQUIRE(s.b.ask("event_select h e close") == "ok");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "close"); // in order still, though TCP's peer has answered the sends with a reset
    REQUIRE(s.a.ask("event_select h e close") == "ok");
    CHECK(s.a.ask("enum h e") == "close");
}

TEST_CASE("READ still comes after CLOSE where data is left", "[EVT-21]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    s.x.send("12345678");
    REQUIRE(next_events(s.a) == "read");
    s.x.reset();
    REQUIRE(next_events(s.a) == "close=connection_reset");
    REQUIRE(s.b.ask("receive h 4") == "\"1234\"");
    CHECK(next_events(s.a) == "read");
    REQUIRE(s.b.ask("receive h 4") == "\"5678\"");
    CHECK(silent(s.a));
}

TEST_CASE("a shutdown on this side is never CLOSE, and the peer's end still is", "[EVT-22]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");

    SECTION("a shutdown of receiving, here")
    {
        REQUIRE(s.a.ask("shutdown h receive") == "ok");
        CHECK(silent(s.a));
    }
    SECTION("a shutdown of receiving, in another process, whose handle is closed then")
    {
        REQUIRE(s.b.ask("shutdown h receive") == "ok");
        CHECK(silent(s.a));
        REQUIRE(s.b.ask("close h") == "ok");
        CHECK(silent(s.a));
    }
    SECTION("a shutdown of sending")
    {
        REQUIRE(s.b.ask("shutdown h send") == "ok");
        CHECK(silent(s.a));
    }
    s.x.close();
    CHECK(next_events(s.a) == "close");
}

TEST_CASE("the peer's end is CLOSE on TCP after a local shutdown of both directions", "[EVT-22]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|write|close") == "ok");
    REQUIRE(next_events(s.a) == "write");
    REQUIRE(s.a.ask("shutdown h receive") == "ok");
    CHECK(silent(s.a));
    REQUIRE(s.a.ask("shutdown h both") == "ok");
    CHECK(silent(s.a));
    REQUIRE(s.b.ask("close h") == "ok");
    CHECK(silent(s.a));
    s.x.close();
    CHECK(next_events(s.a) == "close");
    CHECK(silent(s.a));
}

TEST_CASE("AF_UNIX is silent after a local shutdown of both directions", "[EVT-22]")
{
    connection_of s(GENERATE("unix", "seqpacket")); // AF_UNIX shows no difference when the peer closes as well
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    REQUIRE(s.a.ask("shutdown h both") == "ok");
    CHECK(silent(s.a));
    s.x.close();
    CHECK(silent(s.a));
}
