// ENUM-10: the record that a handle collects after it has lost its registration and hears of it.
#include "conformance/collecting_steps.hpp"

#include <string>

using test::next_events_of;
using test::shared_connection;
using test::shared_with_handler;
using test::signalled;

namespace {

// A registers and is to be told of a loss, B takes over, and READ waits for B.
struct loser_and_owner : shared_connection {
    loser_and_owner()
    {
        REQUIRE(a.ask("event_select h e read|close tell") == "ok");
        REQUIRE(b.ask("event_select h e read|close") == "ok");
        x.send("x");
        REQUIRE(signalled(b));
    }
};

} // namespace

TEST_CASE("an enumeration that tells of a loss leaves the new owner's record and signal alone", "[ENUM-10][fault-92]")
{
    loser_and_owner s;

    SECTION("with the event object that the loss has signalled")
    {
        REQUIRE(signalled(s.a));
        CHECK(s.a.ask("enum h e") == "lost");
        CHECK(s.a.ask("sig e") == "no");
    }
    SECTION("without one, when the loser's bell has not been answered") { CHECK(s.a.ask("enum h") == "lost"); }
    SECTION("with another event object, when the loser's bell has not been answered")
    {
        REQUIRE(s.a.ask("event other") == "ok");
        CHECK(s.a.ask("enum h other") == "lost");
    }
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "read");
    REQUIRE(s.b.ask("receive h 1") == "\"x\"");
    s.x.send("y");
    CHECK(next_events_of(s.b) == "read");
}

TEST_CASE("an enumeration that tells of a loss disarms nothing that the new owner has not looked at", "[ENUM-10]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read tell") == "ok");
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 peek dontwait") == "\"x\""; }));
    CHECK(s.a.ask("enum h") == "lost");
    CHECK(next_events_of(s.b) == "read");
}

TEST_CASE("a handle that was told of its loss collects nothing of the new owner's later either", "[ENUM-10][fault-92]")
{
    loser_and_owner s;
    REQUIRE(signalled(s.a));
    REQUIRE(s.a.ask("enum h e") == "lost");

    SECTION("as a program does that enumerates again")
    {
        CHECK(s.a.ask("enum h e") == "none");
        CHECK(s.a.ask("enum h") == "none");
        CHECK(s.b.ask("enum h e") == "read");
    }
    SECTION("a new registration collects")
    {
        REQUIRE(s.a.ask("event_select h e read tell") == "ok");
        CHECK(next_events_of(s.a) == "read");
    }
    SECTION("a handle that has cancelled the registration collects as any other")
    {
        REQUIRE(s.a.ask("cancel h") == "ok");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        REQUIRE(signalled(s.b));
        CHECK(s.a.ask("enum h") == "read");
    }
}

TEST_CASE("a handle whose event object is destroyed before it was told of its loss is not told, and collects as any other",
          "[ENUM-10][REG-20][fault-92]")
{
    loser_and_owner s;
    SECTION("when the object was signalled for the loss") { REQUIRE(signalled(s.a)); }
    SECTION("when the loser's bell has not been answered") {}
    REQUIRE(s.a.ask("destroy e") == "ok");
    CHECK(s.a.ask("enum h") == "read");
}

TEST_CASE("a program that enumerates all sockets of an event object at each signal takes nothing where it has lost", "[ENUM-10]")
{
    loser_and_owner s;
    REQUIRE(s.a.ask("dial h2 " + std::to_string(s.listener.port())) == "ok");
    auto x2 = s.listener.accept();
    REQUIRE(s.a.ask("event_select h2 e read") == "ok");
    REQUIRE(signalled(s.a));
    CHECK(s.a.ask("enum h e") == "lost");
    x2.send("2");
    REQUIRE(s.a.ask("wait_any " + std::to_string(test::patience.count()) + " e") == "0");
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(s.a.ask("enum h2 e") == "read");
    CHECK(s.a.ask("sig e") == "no");
    CHECK(s.b.ask("enum h e") == "read");
}

TEST_CASE("a handler that was told of its loss and enumerates takes nothing from the new owner", "[ENUM-10]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read tell") == "ok");
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    CHECK(test::next_message(s.a) == "h lost");
    s.x.send("x");
    REQUIRE(signalled(s.b));
    CHECK(s.a.ask("enum h") == "none");
    CHECK(s.b.ask("enum h e") == "read");
}

TEST_CASE("a loser that did not ask to be told collects as any handle does", "[ENUM-10][ENUM-7]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.b));
    CHECK(s.a.ask("enum h e") == "read");
    CHECK(s.b.ask("enum h e") == "none");
}

TEST_CASE("a handle that stood by and lost its turn before it looked collects nothing of the new owner's", "[ENUM-10][G3]")
{
    shared_connection s;
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("stand_by h e read tell") == "ok");
    REQUIRE(s.b.ask("cancel h") == "ok"); // A's turn, which it does not see
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.b));
    CHECK(s.a.ask("enum h") == "none");
    REQUIRE(signalled(s.a));
    CHECK(s.a.ask("enum h e") == "lost");
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(s.b.ask("enum h e") == "read");
}
