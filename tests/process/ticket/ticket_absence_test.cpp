// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Tickets whose source or target is dead, was never there, or has not attached yet.
#include "process/shared_stream.hpp"
#include "process/ticket/ticket_words.hpp"
#include "support/eventually.hpp"

#include <cstddef>
#include <string>
#include <system_error>

#include <unistd.h>

namespace ss = sharedsock;
using test::descriptors_of;
using test::either_family;
using test::foreign_segment;
using test::id_of;
using test::newcomer;
using test::nobody_serves;
using test::records_in_use;
using test::shared_stream;
using test::sockets_in_use;
using test::used;
using test::wrong_process;

TEST_CASE("no ticket is made for a process that is dead or was never attached, and nothing is left of the attempt",
          "[DUP-8][ERR-2]")
{
    test::scratch_segment segment;
    shared_stream s(segment, either_family());
    ss::process_id target;

    SECTION("dead and not swept")
    {
        test::peer b(segment.name());
        target = id_of(segment, b);
        s.socket.duplicate(target); // a connection to its mailbox is kept
        end(b);
    }
    SECTION("dead and swept")
    {
        test::peer b(segment.name());
        target = id_of(segment, b);
        end(b);
        CHECK(segment->sweep() == 1);
    }
    SECTION("detached")
    {
        const ss::segment gone = ss::segment::open(segment.name());
        target                 = gone.self();
    }
    SECTION("an earlier incarnation at a process index in use")
    {
        target = segment->self();
        target.generation -= 1;
    }
    SECTION("a place that was never used") { target = {7, 1}; }
    SECTION("a place that does not exist") { target = {1'000, 1}; }
    SECTION("no process") { target = {}; }

    segment->sweep();
    const std::size_t before = descriptors_of(::getpid());
    ss::error_code ec;
    CHECK(s.socket.duplicate(target, ec) == ss::ticket());
    CHECK(ec == ss::errc::target_gone);
    CHECK(ec == std::errc::no_such_process);
    CHECK(s.socket.handles().size() == 1);
    CHECK(records_in_use(segment) == 1);
    CHECK(descriptors_of(::getpid()) <= before);
}

TEST_CASE("a target that dies takes the tickets that wait for it along", "[DUP-8][DUP-14][fault-66]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment, either_family());
    for (int i = 0; i < 5; ++i)
        s.ticket_for(b);
    if (GENERATE(true, false)) REQUIRE(b.ask("poll_segment") == "ok"); // in its queue, or in its hands
    s.socket.close();
    CHECK(s.x.quiet());
    end(b);
    CHECK(s.x.ended());
    CHECK(segment->sweep() == 1);
    CHECK(sockets_in_use(segment) == 0);
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("a source that dies leaves its tickets and the handles made of them", "[DUP-7]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    const std::string ticket = a.ask("duplicate h " + b.pid());
    SECTION("before the redemption")
    {
        end(a);
        segment->sweep();
        CHECK(b.ask("redeem h " + ticket) == "ok");
    }
    SECTION("after it")
    {
        CHECK(b.ask("redeem h " + ticket) == "ok");
        end(a);
        segment->sweep();
    }
    CHECK(s.x.quiet());
    CHECK(talk(b, s.x));
    CHECK(b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a process that was just spawned redeems a ticket by pid when it has attached", "[DUP-3]")
{
    test::scratch_segment segment;
    shared_stream s(segment, either_family());
    newcomer b(segment.name());
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.pid());
    CHECK(ticket.target_pid == b.pid());
    CHECK_FALSE(ticket.target);
    CHECK(s.socket.handles().size() == 2);
    CHECK(redeem(b.peer, ticket) == foreign_segment);

    SECTION("where it may take the descriptor itself") { CHECK(redeem(b.attach(), ticket) == "ok"); }
    SECTION("though another process tried before it")
    {
        test::peer c(segment.name());
        CHECK(redeem(c, ticket) == wrong_process);
        CHECK(redeem(b.attach(), ticket) == "ok");
    }
    CHECK(talk(b.peer, s.x));
    CHECK(redeem(b.peer, ticket, "g") == used);
    CHECK(s.socket.handles().size() == 2);
    s.socket.close();
    CHECK(talk(b.peer, s.x));
    CHECK(b.peer.ask("close h") == "ok");
    segment->poll();
    CHECK(s.x.ended());
}

TEST_CASE("a ticket for a spawned process needs a source that serves where ptrace is not allowed", "[DUP-3]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(a.ask("untraceable") == "ok");
    REQUIRE(b.attach().ask("untraceable") == "ok");

    SECTION("a source that serves") { CHECK(served_by(a, b.peer, "redeem h " + ticket) == "ok"); }
    SECTION("a source that does not serve at first")
    {
        CHECK(b.peer.ask("redeem h " + ticket) == nobody_serves);
        CHECK(served_by(a, b.peer, "redeem h " + ticket) == "ok"); // the ticket was not used up
    }
    CHECK(talk(b.peer, s.x));
    CHECK(a.ask("close h") == "ok");
    CHECK(a.ask("poll_segment") == "ok");
    CHECK(b.peer.ask("close h") == "ok");
    CHECK(b.peer.ask("poll_segment") == "ok"); // a message that came too late is dropped
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("the source of a ticket for a spawned process may close its handle at once", "[DUP-6]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(a.ask("close h") == "ok");
    CHECK(s.x.quiet());
    SECTION("where ptrace is allowed") { CHECK(b.attach().ask("redeem h " + ticket) == "ok"); }
    SECTION("where it serves")
    {
        REQUIRE(a.ask("untraceable") == "ok");
        REQUIRE(b.attach().ask("untraceable") == "ok");
        CHECK(served_by(a, b.peer, "redeem h " + ticket) == "ok");
    }
    CHECK(talk(b.peer, s.x));
    CHECK(b.peer.ask("close h") == "ok");
    CHECK(a.ask("poll_segment") == "ok"); // the source keeps nothing for a ticket that is used up
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a ticket for a spawned process dies with its source", "[DUP-3]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(b.attach().ask("self") != "nobody");

    SECTION("the ticket was not redeemed")
    {
        end(a);
        CHECK(s.x.ended());
        CHECK(b.peer.ask("redeem h " + ticket) == used);
        segment->sweep();
    }
    SECTION("the ticket was redeemed: the handle stays")
    {
        CHECK(b.peer.ask("redeem h " + ticket) == "ok");
        end(a);
        CHECK(segment->sweep() == 1);
        CHECK(talk(b.peer, s.x));
        CHECK(b.peer.ask("close h") == "ok");
        CHECK(s.x.ended());
    }
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a ticket for a spawned process that never attaches ends with it, or by revocation", "[DUP-8]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(a.ask("close h") == "ok");

    SECTION("its death")
    {
        end(b.peer);
        CHECK(test::eventually([&] {
            a.ask("poll_segment");
            return sockets_in_use(segment) == 0;
        }));
    }
    SECTION("a revocation, after which its source drops the descriptor when it looks")
    {
        CHECK(segment->revoke(ss::ticket::from_text(ticket)));
        CHECK(b.attach().ask("redeem h " + ticket) == used);
        CHECK(a.ask("poll_segment") == "ok");
    }
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a pid that was used again does not get the ticket", "[DUP-3][fault-34]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    newcomer b(segment.name());
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.pid());
    // As if it had been made for an earlier process of this pid.
    segment->attachment()->member()->bytes().handle(ticket.handle)->target -= 1;
    CHECK(redeem(b.attach(), ticket) == wrong_process);
}

TEST_CASE("a ticket by pid for a process that has attached lies in its mailbox, and outlives its source's handle", "[DUP-3][DUP-6]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment);
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.process().pid());
    CHECK_FALSE(ticket.target);
    CHECK(ticket.target_pid == b.process().pid());
    s.socket.close();
    CHECK(redeem(b, ticket) == "ok");
    CHECK(talk(b, s.x));
}
