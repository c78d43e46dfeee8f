// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <string>

TEST_CASE("a socket that is handed over is its giver's until the target takes it, and the target's alone from then on",
          "[DUP-20][G13]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x = listener.accept();
    REQUIRE(a.ask("begin_hand_over h " + b.pid() + " 3 100") == "ok");
    CHECK(a.ask("hand_over_state") == "pending");
    REQUIRE(b.ask("wait_hand_over h") == test::carry_line(3, 100));
    CHECK(a.ask("hand_over_state") == "taken");
    CHECK(a.ask("take_back h") == "taken");
    CHECK(b.ask("handles h") == "1 " + b.ask("self"));
    CHECK(b.ask("close h") == "ok");
    CHECK(x.ended()); // the giver has no descriptor left
}

TEST_CASE("a hand-over that is declined or not taken in time leaves the giver what it had", "[DUP-20][G13]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x = listener.accept();
    REQUIRE(a.ask("event e") == "ok");
    REQUIRE(a.ask("event_select h e read") == "ok");
    const std::string registration = a.ask("query h");
    SECTION("declined")
    {
        REQUIRE(a.ask("begin_hand_over h " + b.pid() + " 3 100") == "ok");
        REQUIRE(b.ask("decline_hand_over") == "tag=3 count=100");
        CHECK(a.ask("hand_over_state") == "error: operation_not_supported, hand_over_declined");
        REQUIRE(a.ask("take_back h") == "ok");
    }
    SECTION("not taken in time")
    {
        CHECK(a.ask("hand_over h " + b.pid() + " 3 100 50") == "error: timed_out, hand_over_not_taken");
        CHECK(b.ask("receive_hand_over h") == "none");
    }
    CHECK(a.ask("query h") == registration);
    CHECK(a.ask("handles h").substr(0, 2) == "1 ");
    x.send("x");
    CHECK(a.ask("wait e 10000") == "yes");
    CHECK(a.ask("receive h 1") == "\"x\"");
}
