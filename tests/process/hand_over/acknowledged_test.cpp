// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Acknowledged hand-overs: the giver has the socket until the taker has taken it, whatever becomes of either.
#include "process/hand_over/giving_scene.hpp"
#include "support/carry_pattern.hpp"
#include "support/deadline.hpp"
#include "support/eventually.hpp"

#include <sharedsock/hand_over.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <thread>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::carry_line;
using test::declined;
using test::gone;
using test::not_taken;
using test::records_in_use;

namespace {

std::size_t any_size() { return GENERATE(std::size_t{10}, std::size_t{100'000}); } // in the message, in memory

} // namespace

TEST_CASE("an acknowledged hand-over is done when the target has taken it, and not before", "[G8][G13]")
{
    test::giving_scene s;
    const std::size_t count = GENERATE(std::size_t{0}, std::size_t{1'000}, ss::max_carry);
    s.give(count);
    CHECK(s.a.ask("running t") == "yes");
    CHECK(s.x.quiet());
    CHECK(s.b.ask("wait_hand_over h") == carry_line(7, count));
    CHECK(s.answer() == "ok");
    CHECK(s.a.ask("is_open h") == "no");
    CHECK(s.b.ask("handles h") == "1 " + s.b.ask("self"));
    CHECK(s.b.ask("query h") == "nobody"); // REG-14
    CHECK(talk(s.b, s.x));
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("a target that takes a socket and registers at once keeps the events, and the giver's end changes nothing", "[G1][G13]")
{
    test::giving_scene s;
    REQUIRE(s.a.ask("begin_hand_over " + s.line(3)) == "ok");
    REQUIRE(s.b.ask("wait_hand_over h") == carry_line(7, 3));
    REQUIRE(s.b.ask("event e") == "ok");
    REQUIRE(s.b.ask("event_select h e read") == "ok"); // fenced
    const std::string theirs = s.b.ask("query h");
    CHECK(s.a.ask("hand_over_state") == "taken");
    CHECK(s.b.ask("query h") == theirs);
    s.x.send("x");
    CHECK(s.b.ask("wait e 10000") == "yes");
    CHECK(s.a.ask("is_open h") == "no");
}

TEST_CASE("a target that dies before it takes a socket gives it back at once", "[G13][fault-89]")
{
    test::giving_scene s;
    const std::size_t count = any_size();
    const bool read_already = GENERATE(false, true);
    s.give(count);
    if (read_already) REQUIRE(s.b.ask("poll_segment") == "ok"); // it lies in the target's hands, and is not taken
    const auto before = std::chrono::steady_clock::now();
    end(s.b);
    CHECK(s.answer() == gone);
    CHECK(std::chrono::steady_clock::now() - before < 5s * test::slowness); // far below the limit
    s.check_that_it_is_back();
}

TEST_CASE("a target that dies after it has taken a socket takes it along, and the giver is told that it was taken",
          "[G6][G13][fault-89]")
{
    test::giving_scene s;
    REQUIRE(s.a.ask("begin_hand_over " + s.line(10)) == "ok");
    REQUIRE(s.b.ask("wait_hand_over h") == carry_line(7, 10));
    end(s.b);
    if (GENERATE(false, true)) s.segment->sweep(); // then the record has another use, or none
    CHECK(s.a.ask("hand_over_state") == "taken");
    CHECK((s.x.was_reset() || s.x.ended()));
    s.check_audit();
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("a target that hangs gives a socket back when the limit is over, and finds it gone when it goes on", "[G13][fault-94]")
{
    test::giving_scene s;
    const std::size_t count = any_size();
    s.b.process().stop();
    CHECK(s.a.ask("hand_over " + s.line(count) + " 300") == not_taken);
    s.check_that_it_is_back();
    s.b.process().resume();
    CHECK(s.b.ask("receive_hand_over h") == "none");
    s.check_that_it_is_back();
    REQUIRE(s.a.ask("start t hand_over " + s.line(count)) == "ok"); // again, and now it does
    CHECK(s.b.ask("wait_hand_over h") == carry_line(7, count));
    CHECK(s.answer() == "ok");
}

TEST_CASE("a socket that came back from a target that still hangs ends for its peer when it is closed", "[G13][fault-94]")
{
    test::giving_scene s;
    s.b.process().stop();
    CHECK(s.a.ask("hand_over " + s.line(10) + " 100") == not_taken);
    CHECK(s.a.ask("close h") == "ok"); // a copy lies in the mailbox of B
    CHECK(s.x.ended());
    s.b.process().resume();
    CHECK(s.b.ask("receive_hand_over h") == "none");
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("a target that detaches gives back what it has not taken, at once", "[G13][fault-100]")
{
    test::giving_scene s;
    const bool refuses = GENERATE(false, true);
    s.give(any_size());
    if (refuses) REQUIRE(s.b.ask("refuse_hand_overs") == "ok"); // hand-overs that were sent before wait
    CHECK(s.a.ask("running t") == "yes");
    CHECK(s.b.ask("leave") == "ok");
    CHECK(s.answer() == gone);
    s.check_that_it_is_back();
    CHECK(s.a.ask("hand_over " + s.line(1)) == gone);
    s.check_that_it_is_back();
}

TEST_CASE("a target that refuses hand-overs is told to no caller as one that has them", "[G13]")
{
    test::giving_scene s;
    REQUIRE(s.b.ask("refuse_hand_overs") == "ok");
    CHECK(s.a.ask("hand_over " + s.line(1)) == gone);
    s.check_that_it_is_back();
}

TEST_CASE("a target that declines a hand-over by its tag gives it back, and takes the next one", "[G13]")
{
    test::giving_scene s;
    const std::size_t count = any_size();
    CHECK(s.b.ask("decline_hand_over") == "none");
    s.give(count);
    CHECK(test::eventually([&] { return s.b.ask("decline_hand_over") == "tag=7 count=" + std::to_string(count); }));
    CHECK(s.answer() == declined);
    s.check_that_it_is_back();
    CHECK(s.b.ask("receive_hand_over h") == "none");
    s.give(count);
    CHECK(s.b.ask("wait_hand_over h") == carry_line(7, count));
    CHECK(s.answer() == "ok");
}

TEST_CASE("a hand-over without acknowledgement that is declined is closed", "[G13]")
{
    test::giving_scene s;
    REQUIRE(s.a.ask("hand_over_unacknowledged " + s.line(5)) == "ok");
    CHECK(s.b.ask("decline_hand_over") == "tag=7 count=5");
    CHECK(s.x.ended());
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("a giver that is killed while it gives leaves the socket to its target", "[G7][G13][fault-101]")
{
    test::giving_scene s;
    const std::size_t count = any_size();
    REQUIRE(s.a.ask("begin_hand_over " + s.line(count)) == "ok");
    if (GENERATE(false, true)) REQUIRE(s.b.ask("poll_segment") == "ok");
    end(s.a);
    const bool swept = GENERATE(false, true);
    if (swept) CHECK(s.segment->sweep() <= 1);
    CHECK(s.x.quiet());
    CHECK(s.b.ask("wait_hand_over h") == carry_line(7, count));
    CHECK(talk(s.b, s.x));
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended());
    s.check_audit();
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("nothing is left when giver and target are both killed while one gives", "[G7][G13][fault-101]")
{
    test::giving_scene s;
    REQUIRE(s.a.ask("begin_hand_over " + s.line(any_size())) == "ok");
    const bool giver_first = GENERATE(false, true);
    const bool swept       = GENERATE(false, true);
    end(giver_first ? s.a : s.b);
    if (swept) s.segment->sweep();
    end(giver_first ? s.b : s.a);
    CHECK((s.x.was_reset() || s.x.ended()));
    s.check_audit();
    s.segment->sweep();
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("a hand-over that waits at a fork stays the parent's", "[G13][DUP-17]")
{
    test::giving_scene s;
    REQUIRE(s.a.ask("begin_hand_over " + s.line(10)) == "ok");
    CHECK(s.a.ask("in_fork hand_over_state") == "error: operation_canceled");
    CHECK(s.a.ask("hand_over_state") == "pending"); // the child's end has changed nothing
    CHECK(s.b.ask("wait_hand_over h") == carry_line(7, 10));
    CHECK(s.a.ask("hand_over_state") == "taken");
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended());
    s.segment->sweep(); // the forked child had a handle of its own
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("two processes that hand over to each other at the same time are both served", "[G13]")
{
    test::giving_scene s;
    REQUIRE(s.b.ask("dial h " + std::to_string(s.listener.port())) == "ok");
    test::plain_socket y = s.listener.accept();
    REQUIRE(s.a.ask("start t hand_over " + s.line(20)) == "ok");
    REQUIRE(s.b.ask("start t hand_over h " + s.a.pid() + " 8 30") == "ok");
    CHECK(s.a.ask("wait_hand_over g") == carry_line(8, 30)); // by another thread of each
    CHECK(s.b.ask("wait_hand_over g") == carry_line(7, 20));
    CHECK(s.a.ask("join t") == "ok");
    CHECK(s.b.ask("join t") == "ok");
    CHECK(s.a.ask("send g x") == "1");
    CHECK(y.receive(1) == "x");
    CHECK(s.b.ask("send g y") == "1");
    CHECK(s.x.receive(1) == "y");
}

TEST_CASE("a process that waits for its target serves its segment: the target asks it for a socket first", "[G13]")
{
    test::giving_scene s;
    REQUIRE(s.a.ask("untraceable") == "ok");
    REQUIRE(s.a.ask("publish h name") == "ok");
    s.give(10);
    CHECK(s.b.ask("open_published g name") == "ok"); // A answers
    CHECK(s.b.ask("wait_hand_over h") == carry_line(7, 10));
    CHECK(s.answer() == "ok");
}

TEST_CASE("a target that executes another program gives back what it has not taken", "[G13][fault-89]")
{
    test::giving_scene s;
    s.give(10);
    REQUIRE(s.b.ask("poll_segment") == "ok");
    s.b.process().tell("execute"); // no answer: the program is another one
    CHECK(s.answer() == gone);
    s.check_that_it_is_back();
    end(s.b);
}
