// ENUM: collecting what was recorded, and the event objects. At least one test for each rule; ENUM-2 and ENUM-3 under fire are
// in enum_under_fire.cpp.
#include "conformance/collecting_steps.hpp"

#include <array>
#include <string>
#include <system_error>

#include <unistd.h>

namespace ss = sharedsock;

using test::next_events_of;
using test::quiet;
using test::shared_connection;
using test::shared_with_handler;
using test::signalled;

namespace {

// Another connection of A, which it calls h2.
struct two_connections : shared_connection {
    two_connections()
    {
        REQUIRE(a.ask("dial h2 " + std::to_string(listener.port())) == "ok");
        x2 = listener.accept();
    }
    test::plain_socket x2{-1};
};

// A listener l with which A and B take turns; it is the turn of A. Each has an event object e.
struct listener_in_turns : test::shared_listener {
    listener_in_turns()
    {
        REQUIRE(a.ask("stand_by l e accept") == "ok");
        REQUIRE(b.ask("stand_by l e accept") == "ok");
    }
};

const std::string bad_object = "error: invalid_argument, bad_event_object";

} // namespace

TEST_CASE("enumerating returns what was recorded since the last time, and clears it", "[ENUM-1]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|write") == "ok");
    s.x.send("x");
    REQUIRE(test::eventually([&] { return s.b.ask("receive h 1 peek dontwait") == "\"x\""; }));
    CHECK(s.a.ask("enum h") == "read|write");
    CHECK(s.a.ask("enum h") == "none");
}

TEST_CASE("enumerating resets the event object that it is given, and the next event sets it again", "[ENUM-2]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|write") == "ok");
    CHECK(s.a.ask("enum h e") == "write");
    CHECK(s.a.ask("sig e") == "no");
    s.x.send("x");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum h") == "read");
    CHECK(s.a.ask("sig e") == "yes"); // the object was not given
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(s.a.ask("sig e") == "no");
    REQUIRE(s.a.ask("receive h 1") == "\"x\"");
    s.x.send("y");
    CHECK(next_events_of(s.a) == "read");
}

TEST_CASE("collecting from one socket keeps the object signalled that another's record waits under", "[ENUM-3]")
{
    two_connections s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("event_select h2 e read") == "ok");
    s.x.send("1");
    REQUIRE(signalled(s.a));

    SECTION("recorded before")
    {
        s.x2.send("2");
        test::wait_for_bytes(s.a, "2", "h2");
        CHECK(s.a.ask("enum h e") == "read");
        CHECK(s.a.ask("sig e") == "yes");
        CHECK(s.a.ask("enum h2 e") == "read");
    }
    SECTION("recorded before, and collected from in the other order")
    {
        s.x2.send("2");
        test::wait_for_bytes(s.a, "2", "h2");
        REQUIRE(s.a.ask("sig e") == "yes"); // this call looks at the kernel, and records
        CHECK(s.a.ask("enum h2 e") == "read");
        CHECK(s.a.ask("sig e") == "yes");
        CHECK(s.a.ask("enum h e") == "read");
    }
    SECTION("not when there is none any more: it was collected elsewhere")
    {
        s.x2.send("2");
        test::wait_for_bytes(s.a, "2", "h2");
        REQUIRE(s.a.ask("sig e") == "yes");
        CHECK(s.a.ask("enum h2") == "read");
        CHECK(s.a.ask("enum h e") == "read");
    }
    SECTION("not when its registration has ended")
    {
        s.x2.send("2");
        test::wait_for_bytes(s.a, "2", "h2");
        REQUIRE(s.a.ask("sig e") == "yes");
        SECTION("by a cancellation") { REQUIRE(s.a.ask("cancel h2") == "ok"); }
        SECTION("by a close") { REQUIRE(s.a.ask("close h2") == "ok"); }
        SECTION("by another one")
        {
            REQUIRE(s.a.ask("event e2") == "ok");
            REQUIRE(s.a.ask("event_select h2 e2 read") == "ok");
        }
        CHECK(s.a.ask("enum h e") == "read");
    }
    CHECK(s.a.ask("sig e") == "no");
    CHECK(quiet(s.a));
}

TEST_CASE("collecting from one socket keeps the object signalled that the loss of another waits under", "[ENUM-3][G3]")
{
    two_connections s;
    REQUIRE(s.a.ask("event_select h e read tell") == "ok");
    REQUIRE(s.a.ask("event_select h2 e read") == "ok");
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    REQUIRE(signalled(s.a));
    CHECK(s.a.ask("enum h2 e") == "none");
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("enum h e") == "lost");
    CHECK(s.a.ask("sig e") == "no");
}

TEST_CASE("an enumeration that fails changes neither the record nor an event object", "[ENUM-4]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    REQUIRE(s.a.ask("event gone moved") == "ok");
    REQUIRE(s.b.ask("event gone moved") == "ok");
    REQUIRE(s.b.ask("set e") == "ok");

    CHECK(s.a.ask("enum h gone") == bad_object);
    CHECK(s.b.ask("enum h gone") == bad_object);
    REQUIRE(s.b.ask("close h") == "ok");
    CHECK(s.b.ask("enum h e") == "error: bad_file_descriptor, closed_handle");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("enum h e") == "read");
    CHECK(s.a.ask("sig e") == "no");
}

TEST_CASE("errors mean something for the events that occurred, and there may be none of either", "[ENUM-5]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    auto x = listener.accept();
    REQUIRE(a.ask("event e") == "ok");
    REQUIRE(a.ask("event_select h e read|close") == "ok");
    // This process is B, to see the result itself.
    const ss::ticket ticket = ss::ticket::from_text(a.ask("duplicate h " + std::to_string(::getpid())));
    auto mine               = ss::shared_socket::redeem(segment, ticket);

    const ss::network_events nothing = mine.enum_network_events();
    CHECK_FALSE(nothing);
    CHECK(nothing.errors == std::array<int, 10>{});
    CHECK(a.ask("enum h e") == "none");

    SECTION("of an event that is always a success")
    {
        x.send("x");
        REQUIRE(signalled(a));
        const ss::network_events data = mine.enum_network_events();
        CHECK(data.occurred == ss::network_event::read);
        CHECK(data.errors == std::array<int, 10>{});
    }
    SECTION("of an event that is not")
    {
        x.reset();
        REQUIRE(signalled(a));
        const ss::network_events end = mine.enum_network_events();
        CHECK(end.occurred == ss::network_event::close);
        CHECK(end.error(ss::network_event::close) == std::errc::connection_reset);
        CHECK_FALSE(end.error(ss::network_event::read));
        CHECK(end.errors == std::array<int, 10>{0, 0, 0, 0, 0, ECONNRESET, 0, 0, 0, 0});
    }
    CHECK(a.ask("enum h e") == "none");
}

TEST_CASE("enumerating re-enables nothing, ends nothing and consumes nothing", "[ENUM-6]")
{
    shared_connection s;

    SECTION("of what is nominated")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        const std::string before = s.b.ask("query h");
        s.x.send("0123456789");
        CHECK(next_events_of(s.a) == "read");
        CHECK(s.a.ask("enum h e") == "none");
        CHECK(s.a.ask("enum h e") == "none");
        CHECK(quiet(s.a));
        CHECK(s.b.ask("query h") == before);
        REQUIRE(s.a.ask("receive h 1") == "\"0\"");
        CHECK(next_events_of(s.a) == "read");
    }
    SECTION("of events that are not nominated")
    {
        REQUIRE(s.a.ask("event_select h e write") == "ok");
        s.x.send("x");
        test::wait_for_bytes(s.b, "x");
        CHECK(s.a.ask("enum h e") == "write");
        CHECK(s.a.ask("enum h e") == "none");
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        CHECK(s.a.ask("enum h e") == "read");
    }
}

TEST_CASE("any process may collect the record, and the owner's event object stays signalled over an empty one", "[ENUM-7]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");

    SECTION("before the owner has looked")
    {
        CHECK(test::eventually([&] { return s.b.ask("enum h") == "read"; }));
        CHECK(signalled(s.a));
    }
    SECTION("after it has")
    {
        CHECK(signalled(s.a));
        CHECK(s.b.ask("enum h e") == "read");
        CHECK(s.a.ask("sig e") == "yes");
    }
    SECTION("the owner itself, with another event object than the registered one")
    {
        CHECK(signalled(s.a));
        REQUIRE(s.a.ask("event other") == "ok");
        REQUIRE(s.a.ask("set other") == "ok");
        CHECK(s.a.ask("enum h other") == "read");
        CHECK(s.a.ask("sig other") == "no");
        CHECK(s.a.ask("sig e") == "yes");
    }
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(s.a.ask("sig e") == "no");
    CHECK(s.b.ask("enum h") == "none");
    REQUIRE(s.b.ask("receive h 1") == "\"x\"");
    s.x.send("y");
    CHECK(next_events_of(s.a) == "read"); // the registration goes on
}

TEST_CASE("a handle that takes turns collects what its own turn has recorded, and nothing of another's", "[ENUM-7][G4]")
{
    listener_in_turns s;
    auto x = test::plain_socket::connect(s.port);
    REQUIRE(signalled(s.a));

    SECTION("its turn has gone with pass_on")
    {
        REQUIRE(s.a.ask("pass_on l") == "yes");
        REQUIRE(signalled(s.b));
        CHECK(s.a.ask("enum l e") == "none"); // though its object is signalled still (REG-8)
        CHECK(s.a.ask("sig e") == "no");
    }
    SECTION("a cancellation has ended its turn")
    {
        REQUIRE(s.b.ask("cancel l") == "ok"); // this takes B out of the standby queue as well
        REQUIRE(s.b.ask("stand_by l e accept") == "ok");
        REQUIRE(signalled(s.b));
        CHECK(s.a.ask("enum l e") == "none");
    }
    SECTION("the handle waits for its first turn")
    {
        CHECK(s.b.ask("enum l e") == "none");
        CHECK(s.a.ask("enum l e") == "accept");
        REQUIRE(s.a.ask("pass_on l") == "yes");
    }
    CHECK(next_events_of(s.b, "l") == "accept");

    // A handle that has registered collects as any other.
    REQUIRE(s.b.ask("accept l s") == "ok");
    auto x2 = test::plain_socket::connect(s.port);
    REQUIRE(signalled(s.b));
    REQUIRE(s.a.ask("event_select l e accept") == "ok");
    REQUIRE(s.b.ask("event_select l e accept") == "ok");
    REQUIRE(signalled(s.b));
    CHECK(s.a.ask("enum l e") == "accept");
}

TEST_CASE("nothing is recorded while the events go to a handler", "[ENUM-8]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");
    s.x.send("x");
    CHECK(test::next_message(s.a) == "h read");
    CHECK(s.a.ask("enum h") == "none");
    CHECK(s.b.ask("enum h e") == "none");

    SECTION("another process enumerates before the handler is called")
    {
        REQUIRE(s.a.ask("receive h 1") == "\"x\"");
        REQUIRE(s.a.ask("pause") == "ok");
        s.x.send("y");
        CHECK(test::eventually([&] { return s.b.ask("receive h 1 peek dontwait") == "\"y\""; }));
        CHECK(s.b.ask("enum h") == "none");
        REQUIRE(s.a.ask("resume") == "ok");
        CHECK(test::next_message(s.a) == "h read");
    }
}
