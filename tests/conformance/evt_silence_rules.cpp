// EVT-23 and EVT-24: events that never come.
#include "conformance/event_steps.hpp"

#include <string>

using test::connection_of;
using test::next_events;
using test::silent;

namespace {

long microseconds(test::peer& of) { return std::stol(of.ask("cpu")); }

// Whether `who`, asleep in a wait for its event object, is neither signalled nor kept busy.
bool sleeps(test::peer& who)
{
    const long before = microseconds(who);
    return who.ask("wait e 500") == "no" && microseconds(who) - before < 20'000 * test::slowness;
}

} // namespace

TEST_CASE("a socket on which nothing can happen is silent, and costs its owner nothing", "[EVT-23]")
{
    test::two_processes s;
    REQUIRE(s.a.ask("open h " + GENERATE(as<std::string>(), "tcp", "tcp6", "unix", "seqpacket")) == "ok");
    REQUIRE(s.a.ask("event_select h e all") == "ok");
    CHECK(sleeps(s.a));
    CHECK(s.a.ask("enum h e") == "none");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.b.ask("event_select h e all") == "ok");
    CHECK(sleeps(s.b));
    CHECK(s.b.ask("enum h e") == "none");
}

TEST_CASE("a bound stream socket, and one whose shutdown failed, are silent and cost their owner nothing", "[EVT-23]")
{
    test::two_processes s;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(s.a.ask("event_select h e all") == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    CHECK(sleeps(s.a));
    CHECK(s.a.ask("shutdown h both") == "error: not_connected");
    CHECK(sleeps(s.a));
    CHECK(s.a.ask("enum h e") == "none");
}

TEST_CASE("an owner whose connection has ended is not kept busy by it", "[EVT-23]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e all") == "ok");
    REQUIRE(next_events(s.a) == "write");

    SECTION("in order")
    {
        s.x.close();
        REQUIRE(next_events(s.a) == "close");
    }
    SECTION("by a reset")
    {
        REQUIRE(s.b.ask("send h unread") == "6");
        s.x.reset();
        REQUIRE(next_events(s.a) == "close=connection_reset");
    }
    SECTION("by this side") { REQUIRE(s.b.ask("shutdown h both") == "ok"); }
    CHECK(sleeps(s.a));
    CHECK(s.a.ask("enum h e") == "none");
}

TEST_CASE("an owner that leaves data unread is not kept busy by it", "[EVT-23]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e all") == "ok");
    REQUIRE(next_events(s.a) == "write");
    s.x.send("x");
    REQUIRE(next_events(s.a) == "read");
    CHECK(sleeps(s.a));
}

TEST_CASE("QOS and GROUP_QOS are accepted and never recorded, and a bit outside of the ten is refused", "[EVT-24]")
{
    connection_of s(GENERATE("tcp", "unix", "seqpacket"));
    REQUIRE(s.a.ask("event_select h e qos|group_qos") == "ok");
    CHECK(test::word(s.b.ask("query h"), "mask") == "qos|group_qos");
    s.x.send("x");
    CHECK(silent(s.a));
    REQUIRE(s.a.ask("event_select h e read|qos|group_qos") == "ok");
    CHECK(next_events(s.a) == "read");
    const std::string before = s.b.ask("query h");
    CHECK(s.a.ask("event_select h e 1024") == "error: invalid_argument, bad_event_mask");
    CHECK(s.b.ask("event_select h e 1025") == "error: invalid_argument, bad_event_mask");
    CHECK(s.a.ask("stand_by h e 1024") == "error: invalid_argument, bad_event_mask");
    CHECK(s.b.ask("query h") == before);
    CHECK(s.a.ask("receive h 10") == "\"x\"");
    s.x.send("y");
    CHECK(next_events(s.a) == "read"); // as before
}
