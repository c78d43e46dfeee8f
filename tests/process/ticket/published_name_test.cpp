// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Sockets that are opened by name, from any process that holds them.
#include "process/shared_stream.hpp"
#include "process/ticket/ticket_words.hpp"
#include "support/eventually.hpp"
#include "support/records_in_use.hpp"

#include <chrono>
#include <cstddef>
#include <future>
#include <string>
#include <system_error>

#include <sys/socket.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::either_family;
using test::nobody_serves;
using test::shared_stream;
using test::sockets_in_use;

namespace {

constexpr const char* not_published = "error: no_such_file_or_directory, name_not_published";

} // namespace

TEST_CASE("a published socket is opened by name, from any holder", "[DUP-1]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    shared_stream s(segment, either_family());
    segment->publish("line", s.socket);
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    CHECK(a.ask("open_published g other") == not_published);

    SECTION("where it may take the descriptor itself") { CHECK(b.ask("open_published h line") == "ok"); }
    SECTION("where the holder serves")
    {
        REQUIRE(a.ask("untraceable") == "ok");
        REQUIRE(b.ask("untraceable") == "ok");
        CHECK(served_by(a, b, "open_published h line") == "ok");
    }
    SECTION("by a process that has attached since")
    {
        test::peer late(segment.name());
        CHECK(late.ask("open_published h line") == "ok");
        REQUIRE(late.ask("close h") == "ok");
        CHECK(b.ask("open_published h line") == "ok");
    }
    SECTION("by a holder, from itself")
    {
        CHECK(a.ask("open_published g line") == "ok");
        REQUIRE(b.ask("redeem h " + a.ask("duplicate g " + b.pid())) == "ok");
        REQUIRE(a.ask("drop g") == "ok");
    }
    CHECK(talk(b, s.x));
    CHECK(b.ask("id h") == a.ask("id h"));
    CHECK(b.ask("handles h").substr(0, 2) == "2 ");
    CHECK(a.ask("close h") == "ok");
    CHECK(talk(b, s.x));
    CHECK(b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(b.ask("open_published h line") == not_published); // the name goes with the last handle
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a serving thread answers for a published socket", "[DUP-1]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment, either_family());
    segment->publish("line", s.socket);
    REQUIRE(b.ask("untraceable") == "ok"); // B alone: as root this process has more rights than B, as others none
    CHECK(served_by(*segment, b, "open_published h line") == "ok");
    CHECK(talk(b, s.x));
}

TEST_CASE("a published name whose only holder has died is no name, and no time is spent on it", "[fault-19]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    s.socket.close();
    end(a);
    CHECK(s.x.ended());
    if (GENERATE(true, false)) segment->sweep();
    CHECK(b.ask("open_published h line") == not_published);
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a holder of a published socket that is dead or stopped does not hide one that serves", "[fault-19][fault-12]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name()), c(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(redeem(c, s.ticket_for(c)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    s.socket.close();
    for (test::peer* one : {&a, &b, &c})
        REQUIRE(one->ask("untraceable") == "ok");
    const bool stopped = GENERATE(true, false);
    if (stopped)
        a.process().stop();
    else
        end(a);
    CHECK(served_by(c, b, "open_published h line") == "ok");
    CHECK(talk(b, s.x));
    if (stopped) a.process().resume();
}

TEST_CASE("an open by name fails if all holders are stopped, and tickets that they send too late are dropped", "[fault-12]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    shared_stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    s.socket.close();
    REQUIRE(a.ask("untraceable") == "ok");
    REQUIRE(b.ask("untraceable") == "ok");
    a.process().stop();
    const auto begin = std::chrono::steady_clock::now();
    CHECK(b.ask("open_published h line") == nobody_serves);
    CHECK(std::chrono::steady_clock::now() - begin >= ss::segment_options().patience);
    a.process().resume();
    CHECK(a.ask("poll_segment") == "ok"); // answers the request that came while the process was stopped
    CHECK(a.ask("close h") == "ok");
    CHECK(b.ask("open_published h line") == not_published);
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a process that waits for a holder goes on with everything else in its other threads", "[DUP-15]")
{
    test::scratch_segment segment({.sockets = 8, .processes = 8});
    test::peer a(segment.name());
    // A process that is so patient that a wait for it would be seen.
    const ss::segment patient = ss::segment::open(segment.name(), {.patience = 60s});
    shared_stream s(segment), other(segment);
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    const ss::ticket ticket = other.socket.duplicate(patient.self());
    s.socket.close();
    test::hide_descriptor_numbers(*segment);
    a.process().stop();
    auto opened = std::async(std::launch::async, [&] { return ss::shared_socket::open_published(patient, "line"); });
    // The request is on its way when it lies in A's mailbox, which A cannot read; nothing shows it, so the test tries for a while.
    for (const test::deadline end(300ms); !end.passed();) {
        auto one = ss::shared_socket::open(patient, AF_INET, SOCK_STREAM);
        CHECK(one.handles().size() == 1);
    }
    CHECK(ss::shared_socket::redeem(patient, ticket).send("y") == 1); // the ticket's message came to the same mailbox
    CHECK(other.x.receive(1) == "y");
    CHECK(opened.wait_for(0s) == std::future_status::timeout);
    a.process().resume();
    REQUIRE(test::eventually([&] { return a.ask("poll_segment") == "ok" && opened.wait_for(0s) == std::future_status::ready; }));
    auto socket = opened.get();
    CHECK(socket.send("z") == 1);
    CHECK(s.x.receive(1) == "z");
}

TEST_CASE("two processes that ask each other at the same time both get their answer", "[DUP-15]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    shared_stream one(segment), two(segment);
    REQUIRE(redeem(a, one.ticket_for(a)) == "ok");
    REQUIRE(redeem(b, two.ticket_for(b)) == "ok");
    segment->publish("one", one.socket);
    segment->publish("two", two.socket);
    one.socket.close();
    two.socket.close();
    REQUIRE(a.ask("untraceable") == "ok");
    REQUIRE(b.ask("untraceable") == "ok");
    for (int round = 0; round < 100; ++round) {
        a.process().tell("open_published g two");
        b.process().tell("open_published g one");
        a.process().tell("poll_segment"); // the process that has its answer first serves the other
        b.process().tell("poll_segment");
        REQUIRE(a.process().line() == "ok");
        REQUIRE(b.process().line() == "ok");
        REQUIRE(a.process().line() == "ok");
        REQUIRE(b.process().line() == "ok");
    }
}

TEST_CASE("a published name has 1 to 63 characters and one socket, and a full name table is an error", "[ERR-2]")
{
    test::scratch_segment segment;
    shared_stream one(segment), other(segment);
    ss::error_code ec;
    for (const std::string& bad : {std::string(), std::string(64, 'n')}) {
        segment->publish(bad, one.socket, ec);
        CHECK(ec == std::errc::invalid_argument);
    }
    std::size_t published = 0;
    for (; !ec || published == 0; ++published)
        segment->publish("name " + std::to_string(published), one.socket, ec);
    CHECK(ec == ss::errc::name_table_full);
    CHECK(published == segment->attachment()->member()->bytes().capacity.names + 1u);
    segment->publish("name 7", other.socket, ec);
    CHECK(ec == ss::errc::name_taken);
    segment->publish("name 7", one.socket, ec); // as it is
    CHECK_FALSE(ec);
    one.socket.close(); // all names of the socket are free
    segment->publish(std::string(63, 'n'), other.socket, ec);
    CHECK_FALSE(ec);
}

TEST_CASE("without a segment or an open handle nothing is made, opened or revoked", "[ERR-2]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    ss::segment nowhere;
    ss::shared_socket closed;
    ss::error_code ec;
    closed.duplicate(segment->self(), ec);
    CHECK(ec == ss::errc::closed_handle);
    closed.duplicate_for_pid(1, ec);
    CHECK(ec == ss::errc::closed_handle);
    segment->publish("closed", closed, ec);
    CHECK(ec == ss::errc::closed_handle);
    const ss::ticket ticket = s.socket.duplicate(segment->self());
    CHECK_FALSE(ss::shared_socket::redeem(nowhere, ticket, ec).is_open());
    CHECK(ec == ss::errc::not_attached);
    CHECK_FALSE(ss::shared_socket::open_published(nowhere, "name", ec).is_open());
    CHECK(ec == ss::errc::not_attached);
    CHECK_THROWS_AS(nowhere.unpublish("name"), ss::system_error);
    CHECK_THROWS_AS(nowhere.published(), ss::system_error);
    CHECK_FALSE(nowhere.revoke(ticket, ec));
    CHECK(ec == ss::errc::not_attached);
    CHECK(segment->revoke(ticket));
}
