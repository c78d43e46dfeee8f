// EVT-10 to EVT-12: WRITE, an edge.
#include "conformance/event_steps.hpp"

#include <cstddef>
#include <string>

using test::connection_of;
using test::next_events;
using test::shared_listener;
using test::silent;
using test::two_processes;

TEST_CASE("WRITE is recorded at registration, with a new connection, and when there is room after there was none", "[EVT-10]")
{
    SECTION("at registration")
    {
        connection_of s(GENERATE("tcp", "unix", "seqpacket"));
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        CHECK(s.a.ask("sig e") == "yes");
        CHECK(s.a.ask("enum h e") == "write");
        CHECK(silent(s.a));
    }
    SECTION("with a connection, after CONNECT")
    {
        two_processes s;
        test::plain_listener listener;
        REQUIRE(s.a.ask("open h tcp") == "ok");
        REQUIRE(s.a.ask("event_select h e connect|write") == "ok");
        CHECK(s.a.ask("connect h " + std::to_string(listener.port())) == "error: operation_would_block");
        CHECK(next_events(s.a) == "write|connect");
        CHECK(silent(s.a));
    }
    SECTION("with an accepted connection")
    {
        shared_listener s;
        REQUIRE(s.a.ask("event_select l e accept|write") == "ok");
        auto x = test::plain_socket::connect(s.port);
        REQUIRE(next_events(s.a, "l") == "accept");
        REQUIRE(s.a.ask("accept l h") == "ok");
        CHECK(next_events(s.a) == "write");
    }
    SECTION("after the peer has drained what was too much")
    {
        connection_of s(GENERATE("tcp", "unix"));
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        REQUIRE(s.a.ask("enum h e") == "write");
        const auto sent = static_cast<std::size_t>(std::stoul(s.a.ask("send_until_full h")));
        CHECK(silent(s.a));
        CHECK(s.x.receive(sent).size() == sent);
        CHECK(next_events(s.a) == "write");
        CHECK(silent(s.a));
    }
}

TEST_CASE("WRITE is not level-triggered", "[EVT-11]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e write") == "ok");
    REQUIRE(next_events(s.a) == "write");
    for (int i = 0; i < 10; ++i)
        REQUIRE(s.a.ask("send h x") == "1");
    CHECK(silent(s.a));
    for (int i = 0; i < 10; ++i)
        REQUIRE(s.b.ask("send h x") == "1");
    CHECK(silent(s.a));
    s.x.send("y");
    REQUIRE(test::arrives(s.b, "y"));
    CHECK(silent(s.a));
}

TEST_CASE("a send that would block arms WRITE for the owner, from any process", "[EVT-11]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e write") == "ok");
    REQUIRE(next_events(s.a) == "write");
    const auto sent = static_cast<std::size_t>(std::stoul(s.b.ask("send_until_full h")));
    CHECK(silent(s.a));
    CHECK(s.x.receive(sent).size() == sent);
    CHECK(next_events(s.a) == "write");
    CHECK(silent(s.a));
}

TEST_CASE("a short send arms WRITE for the owner", "[EVT-11]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e write") == "ok");
    REQUIRE(next_events(s.a) == "write");
    constexpr std::size_t more_than_fits = 64 << 20;
    const std::size_t sent               = std::stoul(s.b.ask("send_many h " + std::to_string(more_than_fits)));
    REQUIRE(sent > 0);
    REQUIRE(sent < more_than_fits);
    CHECK(silent(s.a));
    CHECK(s.x.receive(sent).size() == sent);
    CHECK(next_events(s.a) == "write");
}

TEST_CASE("a full queue of datagrams arms WRITE, which is recorded when the reader drains it", "[EVT-11]")
{
    two_processes s;
    const test::scratch_directory place;
    const std::string path = place.path() / "x";
    REQUIRE(s.b.ask("open x unix_datagram") == "ok");
    REQUIRE(s.b.ask("bind x " + path) == "ok");
    REQUIRE(s.b.ask("blocking x off") == "ok");
    REQUIRE(s.a.ask("open h unix_datagram") == "ok");
    REQUIRE(s.a.ask("connect h " + path) == "ok");
    REQUIRE(s.a.ask("event_select h e write") == "ok");
    REQUIRE(next_events(s.a) == "write");
    while (s.a.ask("send h x") == "1") {
    }
    CHECK(s.a.ask("send h x") == "error: operation_would_block");
    CHECK(silent(s.a));
    REQUIRE(std::stoul(s.b.ask("receive_all x")) > 0);
    CHECK(next_events(s.a) == "write");
    CHECK(s.a.ask("send h x") == "1");
}

TEST_CASE("WRITE of a datagram socket is recorded once it has an address", "[EVT-12]")
{
    two_processes s;
    REQUIRE(s.a.ask("open h udp") == "ok");

    SECTION("that it has at registration")
    {
        REQUIRE(s.a.ask("bind h 0") == "ok");
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        CHECK(s.a.ask("sig e") == "yes");
    }
    SECTION("that it gets by bind")
    {
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        CHECK(silent(s.a));
        REQUIRE(s.a.ask("bind h 0") == "ok");
    }
    SECTION("that it gets by bind in another process")
    {
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        CHECK(silent(s.a));
        REQUIRE(s.b.ask("bind h 0") == "ok");
    }
    SECTION("that it gets by connect")
    {
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        CHECK(silent(s.a));
        REQUIRE(s.a.ask("connect h 9") == "ok");
    }
    CHECK(next_events(s.a) == "write");
    CHECK(silent(s.a));
}
