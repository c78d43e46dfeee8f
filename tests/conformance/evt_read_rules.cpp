// EVT-8, EVT-9, EVT-13 and EVT-14 in their plain cases: data and urgent data. For an urgent byte beside ordinary
// receives see evt_urgent_rules.cpp.
#include "conformance/event_steps.hpp"

#include <cstdint>
#include <string>

#include <sys/socket.h>

namespace ss = sharedsock;

using test::arrives;
using test::connection_of;
using test::next_events;
using test::silent;

TEST_CASE("READ is recorded for data at registration, for data that comes, and for what a receive has left", "[EVT-8]")
{
    connection_of s(GENERATE("tcp", "unix"));

    SECTION("at registration")
    {
        s.x.send("x");
        REQUIRE(arrives(s.b, "x"));
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        CHECK(s.a.ask("sig e") == "yes");
    }
    SECTION("when it comes")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send("x");
    }
    SECTION("after a receive that left some")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send("xyz");
        REQUIRE(next_events(s.a) == "read");
        REQUIRE(s.a.ask("receive h 1") == "\"x\"");
    }
    SECTION("urgent data inline with the rest")
    {
        REQUIRE(s.b.ask("option h oobinline 1") == "ok");
        REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
        s.x.send("!", MSG_OOB);
    }
    CHECK(next_events(s.a) == "read");
    CHECK(silent(s.a));
}

TEST_CASE("READ of a datagram socket is recorded for each datagram that a receive has left", "[EVT-8]")
{
    test::two_processes s;
    REQUIRE(s.a.ask("open h udp") == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    const std::string port = test::port_in(s.a.ask("local h"));
    REQUIRE(s.b.ask("open x udp") == "ok");
    REQUIRE(s.b.ask("connect x " + port) == "ok");
    REQUIRE(s.b.ask("send x one") == "3");
    REQUIRE(s.b.ask("send x two") == "3");
    REQUIRE(arrives(s.a, "one"));
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    CHECK(next_events(s.a) == "read");
    CHECK(silent(s.a));
    REQUIRE(s.b.ask("receive h 10") == "\"one\"");
    CHECK(next_events(s.a) == "read");
    REQUIRE(s.a.ask("receive h 1") == "\"t\""); // the rest of the datagram is gone
    CHECK(silent(s.a));
    REQUIRE(s.b.ask("send x three") == "5");
    CHECK(next_events(s.a) == "read");
}

TEST_CASE("READ is not recorded for the end of a connection", "[EVT-9]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");

    SECTION("in order")
    {
        s.x.close();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("by a reset")
    {
        REQUIRE(s.a.ask("send h unread") == "6"); // unread data makes AF_UNIX reset
        s.x.reset();
        CHECK(next_events(s.a) == "close=connection_reset");
    }
    CHECK(silent(s.a));
}

TEST_CASE("READ is not recorded for the end of a connection when only READ is nominated", "[EVT-9]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.close();
    CHECK(silent(s.a));
    CHECK(s.a.ask("receive h 1") == "end");
    CHECK(silent(s.a));
}

TEST_CASE("a datagram of no bytes is data", "[EVT-9]")
{
    test::two_processes s;
    REQUIRE(s.a.ask("open h udp") == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string port = test::port_in(s.a.ask("local h"));
    const test::plain_socket x(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto to = ss::socket_address::loopback(static_cast<std::uint16_t>(std::stoi(port)));
    REQUIRE(::sendto(x.descriptor(), "", 0, 0, to.data(), to.size()) == 0);
    CHECK(next_events(s.a) == "read");
    CHECK(s.a.ask("receive h 1") == "end"); // the verb's word for no bytes
    CHECK(silent(s.a));
    REQUIRE(::sendto(x.descriptor(), "x", 1, 0, to.data(), to.size()) == 1);
    CHECK(next_events(s.a) == "read");
}

TEST_CASE("a record of no bytes is data", "[EVT-9]")
{
    connection_of s("seqpacket");
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    REQUIRE(::send(s.x.descriptor(), "", 0, MSG_NOSIGNAL) == 0);
    CHECK(next_events(s.a) == "read");
    CHECK(s.b.ask("receive h 1") == "end");
    CHECK(silent(s.a));
    s.x.close();
    CHECK(next_events(s.a) == "close");
}

TEST_CASE("a local shutdown of receiving is no datagram", "[EVT-9]")
{
    test::two_processes s;
    REQUIRE(s.a.ask("open h udp") == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    REQUIRE(s.a.ask("connect h " + test::port_in(s.a.ask("local h"))) == "ok"); // to itself
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("shutdown h receive") == "ok");
    CHECK(silent(s.a));
}

TEST_CASE("urgent data is OOB or READ, as SO_OOBINLINE says", "[EVT-13]")
{
    connection_of s(GENERATE("tcp", "unix"));

    SECTION("out of band")
    {
        REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
        s.x.send("!", MSG_OOB);
        CHECK(next_events(s.a) == "oob");
        CHECK(silent(s.a));
        CHECK(s.a.ask("receive h 1 oob") == "\"!\"");
        CHECK(silent(s.a));
        s.x.send("x");
        CHECK(next_events(s.a) == "read"); // the bytes behind the urgent byte are data
        CHECK(s.a.ask("receive h 10") == "\"x\"");
    }
    SECTION("at registration")
    {
        s.x.send("!", MSG_OOB);
        REQUIRE(test::eventually([&] { return s.b.ask("receive h 1 oob peek") == "\"!\""; }));
        REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
        CHECK(s.a.ask("sig e") == "yes");
        CHECK(s.a.ask("enum h e") == "oob");
    }
    SECTION("again after any receive, while it waits")
    {
        REQUIRE(s.a.ask("event_select h e oob") == "ok");
        s.x.send("!", MSG_OOB);
        CHECK(next_events(s.a) == "oob");
        CHECK(s.b.ask("receive h 1 oob peek") == "\"!\"");
        CHECK(next_events(s.a) == "oob");
        CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
        CHECK(next_events(s.a) == "oob");
        CHECK(s.b.ask("receive h 1 oob") == "\"!\"");
        CHECK(silent(s.a));
        CHECK(s.a.ask("receive h 1 oob") == "error: invalid_argument");
        CHECK(silent(s.a));
    }
    SECTION("in line")
    {
        REQUIRE(s.a.ask("option h oobinline 1") == "ok");
        REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
        s.x.send("!", MSG_OOB);
        CHECK(next_events(s.a) == "read");
        CHECK(silent(s.a));
        CHECK(s.b.ask("receive h 1") == "\"!\"");
        CHECK(silent(s.a));
    }
}
