// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// EVT: the events, in the cases that every program meets.
#include "conformance/shared_connection.hpp"
#include "support/eventually.hpp"

#include <sharedsock/sharedsock.hpp>

namespace ss = sharedsock;

using test::quiet;
using test::shared_connection;
using test::shared_listener;
using test::signalled;

namespace {

// A port of 127.0.0.1 on which nobody listens, for as long as the object lives.
struct closed_port {
    closed_port()
    {
        auto address   = ss::socket_address::loopback(0);
        socklen_t size = address.size();
        if (::bind(taken.descriptor(), address.data(), size) != 0 ||
            ::getsockname(taken.descriptor(), address.data(), &size) != 0)
            throw std::system_error(errno, std::generic_category(), "closed_port");
        text = std::to_string(address.port());
    }
    test::plain_socket taken{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::string text;
};

// Two processes with an event object each, and nothing shared yet.
struct two_processes {
    two_processes()
    {
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(b.ask("event e") == "ok");
    }
    test::scratch_segment segment;
    test::peer a{segment.name()};
    test::peer b{segment.name()};
};

// The next events of h that `who` is signalled for.
std::string next_events(test::peer& who, const std::string& handle = "h")
{
    return signalled(who) ? who.ask("enum " + handle + " e") : "not signalled";
}

// Whether the bytes have arrived at the other end: a wait for the kernel, not for the library.
void arrived(test::peer& who, const std::string& bytes)
{
    REQUIRE(test::eventually([&] {
        return who.ask("receive h " + std::to_string(bytes.size()) + " peek dontwait") == '"' + bytes + '"';
    }));
}

} // namespace

// --- EVT --------------------------------------------------------------------------------------------------------------

TEST_CASE("an event is recorded once until its re-enabling call", "[EVT-1]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|write") == "ok");
    REQUIRE(next_events(s.a) == "write");
    s.x.send("1");
    CHECK(next_events(s.a) == "read");
    for (int i = 0; i < 99; ++i) s.x.send("2");
    CHECK(quiet(s.a));
    CHECK(s.a.ask("receive h 10").size() > 2);
    CHECK(next_events(s.a) == "read");
}

TEST_CASE("any receive re-enables READ, one that fails too, and no send does", "[EVT-2]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("xy");
    REQUIRE(next_events(s.a) == "read");

    SECTION("peeking") { CHECK(s.a.ask("receive h 1 peek") == "\"x\""); }
    SECTION("with flags that the kernel refuses") { CHECK(s.a.ask("receive h 1 invalid").substr(0, 6) == "error:"); }
    SECTION("receiving") { CHECK(s.a.ask("receive h 1") == "\"x\""); }
    SECTION("after a send that did not")
    {
        CHECK(s.a.ask("send h z") == "1");
        CHECK(quiet(s.a));
        CHECK(s.a.ask("receive h 1") == "\"x\"");
    }
    CHECK(next_events(s.a) == "read");
}

TEST_CASE("a call through any handle re-enables for the owner", "[EVT-3]")
{
    SECTION("a receive")
    {
        shared_connection s;
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send("0123456789abcdef");
        REQUIRE(next_events(s.a) == "read");
        REQUIRE(quiet(s.a));
        REQUIRE(s.b.ask("receive h 10") == "\"0123456789\"");
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

TEST_CASE("one receive for each READ and one accept for each ACCEPT is a correct program", "[EVT-4]")
{
    SECTION("READ")
    {
        shared_connection s;
        s.x.send(std::string(100, 'x'));
        arrived(s.a, std::string(100, 'x'));
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        for (int i = 0; i < 10; ++i) {
            REQUIRE(next_events(s.a) == "read");
            REQUIRE(s.a.ask("receive h 10").size() == 12);
        }
        CHECK(quiet(s.a));
    }
    SECTION("ACCEPT")
    {
        shared_listener s;
        REQUIRE(s.a.ask("event_select l e accept") == "ok");
        std::vector<test::plain_socket> all;
        for (int i = 0; i < 5; ++i) all.push_back(test::plain_socket::connect(s.port));
        for (int i = 0; i < 5; ++i) {
            REQUIRE(next_events(s.a, "l") == "accept");
            REQUIRE(s.a.ask("accept l s") == "ok");
        }
        CHECK(quiet(s.a));
        CHECK(s.a.ask("accept l s") == "error: operation_would_block");
    }
}

TEST_CASE("a recorded event leaves the record by enumeration only", "[EVT-7]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    REQUIRE(s.a.ask("receive h 10") == "\"x\"");
    CHECK(s.a.ask("enum h e") == "read");
    CHECK(s.a.ask("enum h e") == "none");
}

TEST_CASE("READ is recorded for data at registration, for data that comes, and for what a receive has left", "[EVT-8]")
{
    shared_connection s;

    SECTION("at registration")
    {
        s.x.send("x");
        arrived(s.b, "x");
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
    SECTION("urgent data that is in line with the rest")
    {
        REQUIRE(s.b.ask("option h oobinline 1") == "ok");
        REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
        s.x.send("!", MSG_OOB);
    }
    CHECK(next_events(s.a) == "read");
    CHECK(quiet(s.a));
}

TEST_CASE("READ is not recorded for the end of a connection", "[EVT-9]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");

    SECTION("in order") { s.x.close(); }
    SECTION("by a reset") { s.x.reset(); }
    CHECK(next_events(s.a).substr(0, 5) == "close");
    CHECK(s.a.ask("enum h e") == "none");
}

TEST_CASE("a datagram of no bytes is data", "[EVT-9]")
{
    two_processes s;
    REQUIRE(s.a.ask("open h udp") == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string address = s.a.ask("local h");
    const std::string port    = address.substr(address.find(':') + 1);
    REQUIRE(s.b.ask("open h udp") == "ok");
    REQUIRE(s.b.ask("connect h " + port) == "ok");
    const test::plain_socket x(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto to = ss::socket_address::loopback(static_cast<std::uint16_t>(std::stoi(port)));
    REQUIRE(::sendto(x.descriptor(), "", 0, 0, to.data(), to.size()) == 0);
    CHECK(next_events(s.a) == "read");
    CHECK(s.a.ask("receive h 1") == "end"); // which is what the verb calls no bytes
    CHECK(quiet(s.a));
    REQUIRE(s.b.ask("send h x") == "1");
    CHECK(next_events(s.a) == "read");
}

TEST_CASE("WRITE is recorded at registration, with a new connection, and when there is room after there was none", "[EVT-10]")
{
    SECTION("at registration")
    {
        shared_connection s;
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        CHECK(s.a.ask("enum h e") == "write");
        CHECK(s.a.ask("send h x") == "1");
        CHECK(quiet(s.a)); // an edge
    }
    SECTION("with a connection")
    {
        two_processes s;
        test::plain_listener listener;
        REQUIRE(s.a.ask("open h tcp") == "ok");
        REQUIRE(s.a.ask("event_select h e connect|write") == "ok");
        CHECK(s.a.ask("connect h " + std::to_string(listener.port())) == "error: operation_would_block");
        CHECK(next_events(s.a) == "write|connect");
    }
    SECTION("after the peer has drained what was too much")
    {
        shared_connection s;
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        REQUIRE(s.a.ask("enum h e") == "write");
        const auto sent = static_cast<std::size_t>(std::stoul(s.a.ask("send_until_full h")));
        CHECK(quiet(s.a));
        CHECK(s.x.receive(sent).size() == sent);
        CHECK(next_events(s.a) == "write");
    }
    SECTION("likewise when another process had sent it")
    {
        shared_connection s;
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        REQUIRE(s.a.ask("enum h e") == "write");
        const auto sent = static_cast<std::size_t>(std::stoul(s.b.ask("send_until_full h")));
        CHECK(quiet(s.a));
        CHECK(s.x.receive(sent).size() == sent);
        CHECK(next_events(s.a) == "write");
    }
}

TEST_CASE("urgent data is OOB or READ, as SO_OOBINLINE says", "[EVT-13]")
{
    shared_connection s;

    SECTION("out of band")
    {
        REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
        s.x.send("!", MSG_OOB);
        CHECK(next_events(s.a) == "oob");
        CHECK(s.a.ask("receive h 1 oob") == "\"!\"");
        CHECK(quiet(s.a));
        s.x.send("x");
        CHECK(next_events(s.a) == "read"); // what comes behind the urgent byte is data
    }
    SECTION("in line")
    {
        REQUIRE(s.a.ask("option h oobinline 1") == "ok");
        REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
        s.x.send("!", MSG_OOB);
        CHECK(next_events(s.a) == "read");
        CHECK(quiet(s.a));
        CHECK(s.b.ask("receive h 1") == "\"!\"");
    }
}

TEST_CASE("ACCEPT is recorded for a connection that waits, one that comes, and one that an accept has left", "[EVT-15]")
{
    shared_listener s;

    SECTION("that waits")
    {
        auto x = test::plain_socket::connect(s.port);
        REQUIRE(test::eventually([&] {
            REQUIRE(s.a.ask("event_select l e accept") == "ok");
            return s.a.ask("sig e") == "yes";
        }));
        CHECK(s.a.ask("enum l e") == "accept");
        CHECK(quiet(s.a));
    }
    SECTION("that comes, and another behind it")
    {
        REQUIRE(s.a.ask("event_select l e accept") == "ok");
        auto first  = test::plain_socket::connect(s.port);
        auto second = test::plain_socket::connect(s.port);
        CHECK(next_events(s.a, "l") == "accept");
        CHECK(quiet(s.a));
        REQUIRE(s.a.ask("accept l s") == "ok");
        CHECK(next_events(s.a, "l") == "accept");
    }
    SECTION("that another process is quicker to accept")
    {
        REQUIRE(s.a.ask("event_select l e accept") == "ok");
        auto x = test::plain_socket::connect(s.port);
        REQUIRE(next_events(s.a, "l") == "accept");
        REQUIRE(s.b.ask("accept l s") == "ok");
        CHECK(s.a.ask("accept l s") == "error: operation_would_block");
        auto next = test::plain_socket::connect(s.port);
        CHECK(next_events(s.a, "l") == "accept"); // the accept that failed has re-enabled it
    }
}

TEST_CASE("CONNECT is recorded once for an attempt, whoever registered and when", "[EVT-16]")
{
    two_processes s;
    test::plain_listener listener;
    const std::string port = std::to_string(listener.port());

    SECTION("to who registered before")
    {
        REQUIRE(s.a.ask("open h tcp") == "ok");
        REQUIRE(s.a.ask("event_select h e connect") == "ok");
        CHECK(s.a.ask("connect h " + port) == "error: operation_would_block");
        CHECK(next_events(s.a) == "connect");
        REQUIRE(s.a.ask("event_select h e connect") == "ok");
        CHECK(quiet(s.a));
    }
    SECTION("to who registered after")
    {
        REQUIRE(s.a.ask("open h tcp") == "ok");
        REQUIRE(s.a.ask("connect h " + port) == "ok");
        REQUIRE(test::share_between(s.a, "h", s.b) == "ok");
        REQUIRE(s.b.ask("event_select h e connect|write") == "ok");
        CHECK(s.b.ask("enum h e") == "write|connect");
        REQUIRE(s.a.ask("event_select h e connect|write") == "ok");
        CHECK(s.a.ask("enum h e") == "write");
    }
    SECTION("also when another process than the owner's collects it")
    {
        REQUIRE(s.a.ask("open h tcp") == "ok");
        REQUIRE(test::share_between(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("event_select h e connect") == "ok");
        CHECK(s.b.ask("connect h " + port) == "error: operation_would_block");
        CHECK(test::eventually([&] { return s.b.ask("enum h") == "connect"; }));
        REQUIRE(s.b.ask("event_select h e connect") == "ok");
        CHECK(s.b.ask("enum h e") == "none");
    }
    SECTION("never for an accepted socket")
    {
        const auto own = static_cast<std::uint16_t>(std::stoi(s.a.ask("listener l")));
        auto x         = test::plain_socket::connect(own);
        REQUIRE(s.a.ask("accept l h") == "ok");
        REQUIRE(s.a.ask("event_select h e connect|write") == "ok");
        CHECK(s.a.ask("enum h e") == "write");
    }
    SECTION("for a datagram socket too")
    {
        REQUIRE(s.a.ask("open h udp") == "ok");
        REQUIRE(s.a.ask("event_select h e connect") == "ok");
        CHECK(quiet(s.a));
        REQUIRE(s.a.ask("connect h " + port) == "ok");
        CHECK(next_events(s.a) == "connect");
    }
}

TEST_CASE("a failed connect is CONNECT with the reason and nothing else, and the next may succeed", "[EVT-17]")
{
    two_processes s;
    closed_port nobody;
    test::plain_listener live;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(s.a.ask("event_select h e read|write|connect|close") == "ok");
    CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
    CHECK(next_events(s.a) == "connect=connection_refused");
    CHECK(quiet(s.a));
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(s.a.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block");
    CHECK(next_events(s.a) == "write|connect");
}

TEST_CASE("CLOSE tells an end in order from a reset", "[EVT-18]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");

    SECTION("the peer ends its stream")
    {
        s.x.shutdown_send();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("the peer resets")
    {
        s.x.reset();
        CHECK(next_events(s.a) == "close=connection_reset");
    }
    SECTION("the peer answers our end")
    {
        REQUIRE(s.a.ask("shutdown h send") == "ok");
        CHECK(quiet(s.a));
        s.x.close();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("the peer resets and another process is told first")
    {
        s.x.reset();
        REQUIRE(test::eventually([&] { return s.b.ask("receive h 1") == "error: connection_reset"; }));
        CHECK(next_events(s.a) == "close=connection_reset");
    }
}

TEST_CASE("CLOSE comes after the data, whoever reads it, and at once for a reset", "[EVT-19]")
{
    shared_connection s;
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
    SECTION("a reset")
    {
        REQUIRE(next_events(s.a) == "read");
        s.x.reset();
        CHECK(next_events(s.a) == "close=connection_reset");
    }
}

TEST_CASE("CLOSE does not wait for data when READ is not nominated", "[EVT-20]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e close") == "ok");
    s.x.send("12345678");
    s.x.close();
    CHECK(next_events(s.a) == "close");
    CHECK(s.a.ask("receive h 100") == "\"12345678\"");
    CHECK(s.a.ask("receive h 100") == "end");
}

TEST_CASE("CLOSE is recorded once under a registration, and anew under the next", "[EVT-21]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|write|close") == "ok");
    REQUIRE(next_events(s.a) == "write");
    s.x.close();
    REQUIRE(next_events(s.a) == "close");
    for (int i = 0; i < 3; ++i) CHECK(s.a.ask("receive h 1") == "end");
    CHECK(quiet(s.a));
    CHECK(s.a.ask("enum h e") == "none");
    REQUIRE(s.b.ask("event_select h e close") == "ok");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "close");
}

TEST_CASE("who merely polls the descriptor of an event object wakes", "[EVT-27]")
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
}
