// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Turns that come while their owner does not look. The model (tests/model/registration.pml) found the faults.
#include "conformance/shared_connection.hpp"

#include <string>

using test::signalled;
using test::word;

namespace {

// A owns the events, B and C stand by.
struct line_of_two : test::shared_by_three {
    line_of_two()
    {
        REQUIRE(a.ask("event_select h e read") == "ok");
        REQUIRE(b.ask("stand_by h e read told") == "ok");
        REQUIRE(c.ask("stand_by h e read") == "ok");
    }
    std::string owner() { return word(a.ask("query h"), "owner"); }
};

} // namespace

TEST_CASE("a turn that was taken over before its handle looked is lost, and told as lost", "[G3]")
{
    line_of_two s;
    REQUIRE(s.a.ask("cancel h") == "ok");
    REQUIRE(s.owner() == s.b.ask("self"));
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    CHECK(signalled(s.b));
    CHECK(s.b.ask("enum h e").find("lost") != std::string::npos);
    REQUIRE(s.a.ask("cancel h") == "ok"); // A does not stand by any more: this turn is for the next in the queue
    CHECK(s.owner() == s.c.ask("self"));
    REQUIRE(s.b.ask("stand_by h e read") == "ok"); // as after any other loss
    REQUIRE(s.a.ask("cancel h") == "ok");
    CHECK(s.owner() == s.b.ask("self"));
}

TEST_CASE("a turn that its owner has not looked at is passed on when the event object is destroyed", "[G4][REG-20]")
{
    line_of_two s;
    REQUIRE(s.a.ask("cancel h") == "ok");
    REQUIRE(s.owner() == s.b.ask("self"));
    REQUIRE(s.b.ask("destroy e") == "ok");
    CHECK(s.owner() == s.c.ask("self"));
    s.x.send("data");
    CHECK(signalled(s.c));
}

TEST_CASE("a turn that its owner has not looked at is passed on when its handle leaves the standby queue", "[G4]")
{
    line_of_two s;
    REQUIRE(s.a.ask("cancel h") == "ok");
    REQUIRE(s.b.ask("stand_by h e none") == "ok");
    CHECK(s.owner() == s.c.ask("self"));
    s.x.send("data");
    CHECK(signalled(s.c));
}
