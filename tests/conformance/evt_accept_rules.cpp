// EVT-15: ACCEPT.
#include "conformance/event_steps.hpp"

#include <string>

using test::next_events;
using test::shared_listener;
using test::silent;

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
        CHECK(silent(s.a, "l"));
    }
    SECTION("that comes, and another behind it")
    {
        REQUIRE(s.a.ask("event_select l e accept") == "ok");
        auto first  = test::plain_socket::connect(s.port);
        auto second = test::plain_socket::connect(s.port);
        CHECK(next_events(s.a, "l") == "accept");
        CHECK(silent(s.a, "l"));
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
    SECTION("that was reset before a process accepted it")
    {
        REQUIRE(s.a.ask("event_select l e accept") == "ok");
        auto x = test::plain_socket::connect(s.port);
        REQUIRE(next_events(s.a, "l") == "accept");
        x.reset();
        REQUIRE(s.a.ask("accept l s") == "ok"); // as Linux has it
        CHECK(test::eventually([&] { return s.a.ask("receive s 1 dontwait") == "error: connection_reset"; }));
        CHECK(silent(s.a, "l"));
    }
}

TEST_CASE("ACCEPT of the kinds of AF_UNIX follows the same rule", "[EVT-15]")
{
    const std::string kind = GENERATE("unix", "seqpacket");
    test::two_processes s;
    const test::scratch_directory place;
    const std::string path = place.path() / "l";
    REQUIRE(s.a.ask("open l " + kind) == "ok");
    REQUIRE(s.a.ask("event_select l e accept|read|write|close") == "ok");
    REQUIRE(s.a.ask("bind l " + path) == "ok");
    CHECK(silent(s.a, "l"));
    REQUIRE(s.a.ask("listen l") == "ok");
    CHECK(silent(s.a, "l"));
    REQUIRE(test::share(s.a, "l", s.b) == "ok");
    REQUIRE(s.b.ask("dial_local x " + kind + " " + path) == "ok");
    REQUIRE(s.b.ask("dial_local y " + kind + " " + path) == "ok");
    CHECK(next_events(s.a, "l") == "accept");
    CHECK(silent(s.a, "l"));
    REQUIRE(s.b.ask("accept l s") == "ok");
    CHECK(next_events(s.a, "l") == "accept");
    REQUIRE(s.b.ask("accept l s") == "ok");
    CHECK(s.b.ask("accept l s") == "error: operation_would_block");
    CHECK(silent(s.a, "l"));
}

TEST_CASE("a listener has no other event than ACCEPT", "[EVT-15]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e all") == "ok");
    CHECK(silent(s.a, "l"));
    auto x = test::plain_socket::connect(s.port);
    CHECK(next_events(s.a, "l") == "accept");
}
