// EVT-16, EVT-17 and EVT-26: CONNECT, and the errors that come with events.
#include "conformance/event_steps.hpp"
#include "support/skip.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/socket.h>

using test::closed_port;
using test::next_events;
using test::silent;
using test::two_processes;

TEST_CASE("CONNECT is recorded once for each attempt, over all registrations and processes", "[EVT-16]")
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
        CHECK(silent(s.a));
    }
    SECTION("to who registered after")
    {
        REQUIRE(s.a.ask("open h tcp") == "ok");
        REQUIRE(s.a.ask("connect h " + port) == "ok");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.b.ask("event_select h e connect|write") == "ok");
        CHECK(s.b.ask("enum h e") == "write|connect");
        REQUIRE(s.a.ask("event_select h e connect|write") == "ok");
        CHECK(s.a.ask("enum h e") == "write");
    }
    SECTION("collected by another process than the owner's")
    {
        REQUIRE(s.a.ask("open h tcp") == "ok");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
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
    SECTION("for a datagram socket too, each time it connects")
    {
        REQUIRE(s.a.ask("open h udp") == "ok");
        REQUIRE(s.a.ask("event_select h e connect") == "ok");
        CHECK(silent(s.a));
        REQUIRE(s.a.ask("connect h " + port) == "ok");
        CHECK(next_events(s.a) == "connect");
        REQUIRE(s.a.ask("connect h " + port) == "ok");
        CHECK(next_events(s.a) == "connect");
        CHECK(silent(s.a));
    }
}

TEST_CASE("CONNECT of the kinds of AF_UNIX is recorded although it is immediate", "[EVT-16]")
{
    const std::string kind = GENERATE("unix", "seqpacket");
    two_processes s;
    const test::scratch_directory place;
    test::local_listener listener(place.path() / "x", kind == "seqpacket" ? SOCK_SEQPACKET : SOCK_STREAM);
    REQUIRE(s.a.ask("open h " + kind) == "ok");
    REQUIRE(s.a.ask("event_select h e connect|write") == "ok");
    CHECK(silent(s.a));
    REQUIRE(s.a.ask("connect h " + listener.path()) == "ok");
    CHECK(next_events(s.a) == "write|connect");
    CHECK(silent(s.a));
}

TEST_CASE("a failed connect is CONNECT with the reason and nothing else, and the next may succeed", "[EVT-17]")
{
    two_processes s;
    closed_port nobody;
    test::plain_listener live;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("event_select h e read|write|connect|close") == "ok");
    CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
    CHECK(next_events(s.a) == "connect=connection_refused");
    CHECK(silent(s.a));
    CHECK(s.a.ask("receive h 1").substr(0, 6) == "error:");
    CHECK(silent(s.a));

    SECTION("a connect of the same process")
    {
        CHECK(s.a.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block");
    }
    SECTION("a connect of another")
    {
        CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block");
    }
    CHECK(next_events(s.a) == "write|connect");
}

TEST_CASE("a failed connect is reported once to the process that registers after it", "[EVT-17]")
{
    two_processes s;
    closed_port nobody;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    CHECK(s.a.ask("connect h " + nobody.text) == "error: connection_refused");
    REQUIRE(s.b.ask("event_select h e read|write|connect|close") == "ok");
    CHECK(s.b.ask("enum h e") == "connect=connection_refused");
    REQUIRE(s.a.ask("event_select h e read|write|connect|close") == "ok");
    CHECK(silent(s.a));
}

TEST_CASE("an attempt that is refused or times out is CONNECT with that error", "[EVT-26]")
{
    two_processes s;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(s.a.ask("event_select h e read|write|connect|close") == "ok");

    SECTION("refused")
    {
        closed_port nobody;
        CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
        CHECK(next_events(s.a) == "connect=connection_refused");
    }
    SECTION("timed out")
    {
        // A full queue of connections drops each new one.
        test::plain_listener full(0);
        std::vector<test::plain_socket> waiting;
        for (int i = 0; i < 4; ++i) {
            waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            const auto to = sharedsock::socket_address::loopback(full.port());
            ::connect(waiting.back().descriptor(), to.data(), to.size());
        }
        REQUIRE(s.a.ask("option h syn_count 1") == "ok");
        REQUIRE(s.a.ask("option h user_timeout 500") == "ok");
        CHECK(s.a.ask("connect h " + std::to_string(full.port())) == "error: operation_would_block");
        CHECK(next_events(s.a) == "connect=timed_out");
    }
    CHECK(silent(s.a));
}

TEST_CASE("an attempt without a route is CONNECT with network_unreachable or host_unreachable", "[EVT-26]")
{
    two_processes s;
    if (s.a.ask("network new") != "yes") {
        test::skip("this process may not make a network of its own");
        return;
    }
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(s.a.ask("event_select h e read|write|connect|close") == "ok");

    SECTION("no route at all")
    {
        CHECK(s.a.ask("connect h 198.51.100.1:9") == "error: network_unreachable");
        CHECK(next_events(s.a) == "connect=network_unreachable");
    }
    SECTION("a route that says so")
    {
        REQUIRE(s.a.ask("refuse_route 198.51.100.1") == "ok");
        CHECK(s.a.ask("connect h 198.51.100.1:9") == "error: host_unreachable");
        CHECK(next_events(s.a) == "connect=host_unreachable");
    }
    CHECK(silent(s.a));
    REQUIRE(s.a.ask("listener l") != ""); // the same socket connects to where there is a way
    CHECK(s.a.ask("connect h " + test::port_in(s.a.ask("local l"))) == "error: operation_would_block");
    CHECK(next_events(s.a) == "write|connect");
}

TEST_CASE("an attempt that a router calls unreachable is CONNECT with its reason, when the answer comes", "[EVT-26]")
{
    two_processes s;
    if (s.a.ask("network new") != "yes" || s.b.ask("network " + s.a.pid()) != "yes") {
        test::skip("this process may not make a network of its own");
        return;
    }
    const std::string what   = GENERATE("network", "host");
    const std::string reason = what + "_unreachable";
    const std::string port   = s.b.ask("listener l");
    REQUIRE(s.b.ask("deaf " + s.b.ask("fd l")) == "ok");
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");

    SECTION("for the owner")
    {
        REQUIRE(s.a.ask("event_select h e read|write|connect|close") == "ok");
        CHECK(s.a.ask("connect h " + port) == "error: operation_would_block");
        CHECK(silent(s.a));
        REQUIRE(s.b.ask("start t unreachable " + what + " " + port) == "ok"); // the kernel sends its first packet again
        CHECK(next_events(s.a) == "connect=" + reason);
        CHECK(silent(s.a));
        CHECK(s.b.ask("option h error") == reason);
    }
    SECTION("for a call that waits")
    {
        REQUIRE(s.b.ask("start t unreachable " + what + " " + port) == "ok");
        CHECK(s.a.ask("connect h " + port) == "error: " + reason);
        REQUIRE(s.b.ask("event_select h e connect|close") == "ok");
        CHECK(s.b.ask("enum h e") == "connect=" + reason);
    }
    CHECK(s.b.ask("join t") == "ok");
}

TEST_CASE("an attempt that fails at once is CONNECT with the error of the call and nothing else", "[EVT-26][EVT-17]")
{
    two_processes s;
    test::plain_listener live;
    const std::string error = GENERATE("network_down", "no_buffer_space", "address_family_not_supported");
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.b.ask("event_select h e read|write|connect|close") == "ok");
    REQUIRE(s.a.ask("fail_calls " + s.a.ask("fd h") + " " + error) == "ok"); // no network of a test can be made to fail so
    CHECK(s.a.ask("connect h " + std::to_string(live.port())) == "error: " + error);
    CHECK(next_events(s.b) == "connect=" + error);
    CHECK(silent(s.b));
    CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block"); // B's calls do not fail
    CHECK(next_events(s.b) == "write|connect");
}

TEST_CASE("READ, WRITE, OOB and ACCEPT never come with an error", "[EVT-26]")
{
    two_processes s;
    const auto port = static_cast<std::uint16_t>(std::stoi(s.a.ask("listener l")));
    REQUIRE(s.a.ask("event_select l e all") == "ok");
    auto x = test::plain_socket::connect(port);
    CHECK(next_events(s.a, "l") == "accept");
    REQUIRE(s.a.ask("accept l h") == "ok");
    CHECK(next_events(s.a) == "write");
    x.send("x");
    CHECK(next_events(s.a) == "read");
    x.send("!", MSG_OOB);
    CHECK(next_events(s.a) == "oob");
    x.reset();
    CHECK(next_events(s.a) == "close=connection_reset"); // though READ had been recorded under the same signal's object
}
