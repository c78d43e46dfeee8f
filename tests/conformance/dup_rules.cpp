// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP: duplication, tickets, lifetime. One test for each rule of the specification.
#include "conformance/shared_connection.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <sharedsock/sharedsock.hpp>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

namespace ss = sharedsock;
using test::eventually;
using test::peer;
using test::quiet_time;
using test::share;

namespace {

// A has a connection to X, as h; nobody else has a handle yet.
struct one_connection {
    one_connection()
    {
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        x = listener.accept();
    }
    std::string ticket_for(const peer& target) { return a.ask("duplicate h " + target.pid()); }

    test::scratch_segment segment;
    peer a{segment.name()};
    peer b{segment.name()};
    test::plain_listener listener;
    test::plain_socket x{-1};
};

struct shared_by_two : one_connection {
    shared_by_two() { REQUIRE(share(a, "h", b) == "ok"); }
};

bool refused(const std::string& answer, const char* code) { return answer == std::string("error: invalid_argument, ") + code; }

} // namespace

TEST_CASE("a duplicate is another descriptor of the same socket, and its equal", "[DUP-1]")
{
    shared_by_two s;
    for (const char* const what : {"local h", "peer h", "cookie h", "id h"}) CHECK(s.a.ask(what) == s.b.ask(what));
    CHECK(s.a.ask("handle_id h") != s.b.ask("handle_id h"));
    CHECK(s.x.quiet());
}

TEST_CASE("sharing takes a ticket from the source, any transport, and a redemption in the target", "[DUP-2]")
{
    one_connection s;
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(1) == "b");
}

TEST_CASE("a ticket is redeemed in the process it was made for, and in no other", "[DUP-3][G9]")
{
    one_connection s;
    peer c{s.segment.name()};
    const std::string ticket = s.ticket_for(s.b);
    CHECK(refused(c.ask("redeem h " + ticket), "ticket_wrong_process"));
    CHECK(refused(s.a.ask("redeem other " + ticket), "ticket_wrong_process"));
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
}

TEST_CASE("a ticket is good for one redemption", "[DUP-4][fault-65][G9]")
{
    SECTION("by one process")
    {
        one_connection s;
        const std::string ticket = s.ticket_for(s.b);
        REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
        CHECK(refused(s.b.ask("redeem again " + ticket), "ticket_used"));
        CHECK(s.a.ask("handles h").front() == '2');
    }
    SECTION("by two threads that race for it")
    {
        test::scratch_segment home({.sockets = 8, .processes = 4});
        test::connection pair(home);
        int successes = 0;
        for (int round = 0; round < 1000; ++round) {
            const ss::ticket ticket = pair.socket.duplicate(home->self());
            std::atomic<int> won{0};
            const auto redeem = [&] {
                ss::error_code ec;
                const ss::shared_socket mine = ss::shared_socket::redeem(home, ticket, ec);
                if (!ec) won.fetch_add(1);
            };
            std::thread other(redeem);
            redeem();
            other.join();
            successes += won.load();
        }
        CHECK(successes == 1000);
        CHECK(pair.socket.handles().size() == 1);
    }
}

TEST_CASE("a ticket is plain data, which a file may carry, and its copies refer to nothing of their own", "[DUP-5]")
{
    one_connection s;
    const test::scratch_directory place;
    const auto file = place.path() / "ticket";
    std::ofstream(file) << s.ticket_for(s.b);
    std::string text;
    std::ifstream(file) >> text;
    {
        const ss::ticket copy = ss::ticket::from_text(text);
        std::vector<ss::ticket> many(100, copy);
    }
    CHECK(s.a.ask("handles h").front() == '2'); // the handle, and the ticket once
    REQUIRE(s.b.ask("redeem h " + text) == "ok");
    CHECK(s.b.ask("send h data") == "4");
    CHECK(s.x.receive(4) == "data");
}

TEST_CASE("a ticket holds a reference: the source may close at once", "[DUP-6][G6]")
{
    one_connection s;
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.x.quiet());
    REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
}

TEST_CASE("the source may die", "[DUP-7][fault-66]")
{
    one_connection s;
    const std::string ticket = s.ticket_for(s.b);
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.x.quiet());
    REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h still") == "5");
    CHECK(s.x.receive(5) == "still");
}

TEST_CASE("a ticket that nobody redeems lives until its target dies or it is revoked", "[DUP-8]")
{
    one_connection s;
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    SECTION("not by time")
    {
        CHECK(s.x.quiet(std::chrono::seconds(1)));
        CHECK(s.b.ask("redeem h " + ticket) == "ok");
    }
    SECTION("until the target dies")
    {
        s.b.process().kill(SIGKILL);
        s.b.process().wait();
        CHECK(s.x.ended());
        CHECK(s.a.ask("sweep") == "1");
        CHECK(s.segment->sweep() == 0);
    }
    SECTION("until it is revoked, by anybody")
    {
        peer c{s.segment.name()};
        CHECK(c.ask("revoke " + ticket) == "yes");
        CHECK(c.ask("revoke " + ticket) == "no");
        CHECK(refused(s.b.ask("redeem h " + ticket), "ticket_used"));
        s.b.ask("poll_segment");
        CHECK(s.x.ended());
    }
}

TEST_CASE("no ticket is made for a process that is not there", "[DUP-8][ERR-2]")
{
    one_connection s;
    CHECK(s.a.ask("duplicate h 2147483632") == "error: no_such_process, target_gone");
    s.b.process().kill(SIGKILL);
    s.b.process().wait();
    CHECK(s.a.ask("duplicate h " + s.b.pid()).find("error: no_such_process") == 0);
    CHECK(s.a.ask("handles h").front() == '1');
}

TEST_CASE("a redemption that fails for want of descriptors leaves the ticket as it was", "[DUP-9][fault-40]")
{
    one_connection s;
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    REQUIRE(s.b.ask("limit_descriptors 0") == "ok");
    CHECK(s.b.ask("redeem h " + ticket) == "error: too_many_files_open");
    REQUIRE(s.b.ask("limit_descriptors off") == "ok");
    CHECK(s.x.quiet());
    REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
    s.x.send("flows");
    CHECK(s.b.ask("receive h 5") == "\"flows\"");
}

TEST_CASE("any descriptor may be duplicated", "[DUP-10]")
{
    SECTION("one that came by a ticket itself, on and on")
    {
        shared_by_two s;
        peer c{s.segment.name()};
        REQUIRE(share(s.b, "h", c) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.b.ask("close h") == "ok");
        CHECK(c.ask("send h c") == "1");
        CHECK(s.x.receive(1) == "c");
    }
    SECTION("in any state")
    {
        test::scratch_segment segment;
        peer a{segment.name()};
        peer b{segment.name()};
        REQUIRE(a.ask("open unbound tcp") == "ok");
        REQUIRE(a.ask("open bound tcp") == "ok");
        REQUIRE(a.ask("bind bound 0") == "ok");
        const std::string port = a.ask("listener listening");
        REQUIRE(a.ask("open datagram udp") == "ok");
        for (const char* const one : {"unbound", "bound", "listening", "datagram"}) {
            INFO(one);
            CHECK(share(a, one, b) == "ok");
            CHECK(a.ask(std::string("id ") + one) == b.ask(std::string("id ") + one));
        }
        CHECK(b.ask("option listening acceptconn") == "1");
        CHECK(b.ask("local bound") == a.ask("local bound"));
    }
    SECTION("also for the process itself")
    {
        one_connection s;
        const std::string ticket = s.a.ask("duplicate h self");
        REQUIRE(s.a.ask("redeem h2 " + ticket) == "ok");
        CHECK(s.a.ask("fd h") != s.a.ask("fd h2"));
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.a.ask("send h2 x") == "1");
        CHECK(s.x.receive(1) == "x");
    }
}

TEST_CASE("closing releases one descriptor; a closed handle never reaches a stranger", "[DUP-11]")
{
    shared_by_two s;
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("send h x").find("error: bad_file_descriptor") == 0);
    REQUIRE(s.a.ask("dial other " + std::to_string(s.listener.port())) == "ok"); // takes the same number, as like as not
    CHECK(s.a.ask("send h x").find("error: bad_file_descriptor") == 0);
    CHECK(s.b.ask("send h y") == "1");
    CHECK(s.x.receive(1) == "y");
}

TEST_CASE("the socket ends with its last descriptor, and its slot is free then", "[DUP-12][G6]")
{
    test::scratch_segment small({.sockets = 1, .processes = 8});
    test::plain_listener listener;
    peer a{small.name()}, b{small.name()}, c{small.name()};
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x = listener.accept();
    REQUIRE(share(a, "h", b) == "ok");
    REQUIRE(share(b, "h", c) == "ok");
    REQUIRE(a.ask("close h") == "ok");
    REQUIRE(b.ask("close h") == "ok");
    CHECK(x.quiet());
    CHECK(a.ask("open more tcp").find("error: no_buffer_space") == 0); // the one slot is in use
    REQUIRE(c.ask("close h") == "ok");
    CHECK(x.ended());
    CHECK(a.ask("open more tcp") == "ok");
}

TEST_CASE("the close type takes effect at the last close", "[DUP-13]")
{
    shared_by_two s;
    SECTION("a reset")
    {
        REQUIRE(s.a.ask("option h linger 0") == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.x.quiet());
        REQUIRE(s.b.ask("close h") == "ok");
        CHECK(s.x.was_reset());
    }
    SECTION("a lingering close, of which the first closer notices nothing")
    {
        REQUIRE(s.a.ask("option h linger 2") == "ok");
        REQUIRE(s.a.ask("blocking h off") == "ok");
        s.a.ask("send_until_full h");
        CHECK(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("close h") == "error: operation_would_block, would_linger"); // ERR-4
        CHECK(s.b.ask("is_open h") == "yes");
    }
}

TEST_CASE("death closes everything: handles, and the registration", "[DUP-14][G7]")
{
    shared_by_two s;
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.b.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.a.process().kill(SIGKILL);
    s.a.process().wait();
    CHECK(s.b.ask("sweep") == "1");
    CHECK(s.b.ask("query h") == "nobody");
    CHECK(s.b.ask("handles h").front() == '1');
    CHECK(s.b.ask("event_select h e read") == "ok");
    REQUIRE(s.b.ask("close h") == "ok");
    CHECK(s.x.ended());
}

TEST_CASE("threads of one process share a handle without duplicating it", "[DUP-15]")
{
    test::scratch_segment home;
    test::connection pair(home, AF_INET);
    constexpr std::size_t bytes = 100'000;
    std::thread echo([&] {
        char room[4096];
        for (std::size_t done = 0; done < bytes;) {
            const ssize_t got = ::recv(pair.peer, room, sizeof room, 0);
            if (got <= 0) return;
            for (ssize_t sent = 0; sent < got;) sent += ::send(pair.peer, room + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
            done += static_cast<std::size_t>(got);
        }
    });
    std::thread sender([&] {
        for (std::size_t i = 0; i < bytes; ++i) {
            const std::byte one{static_cast<unsigned char>(i)};
            pair.socket.send(std::span(&one, 1));
        }
    });
    std::size_t wrong = 0, done = 0;
    while (done < bytes) {
        std::byte room[512];
        const std::size_t got = pair.socket.receive(room);
        for (std::size_t i = 0; i < got; ++i) wrong += room[i] != std::byte{static_cast<unsigned char>(done + i)};
        done += got;
    }
    sender.join();
    echo.join();
    CHECK(wrong == 0);
    CHECK(pair.socket.handles().size() == 1);
}

TEST_CASE("the library arbitrates no I/O: competing receivers get every byte once, and none is refused", "[DUP-16]")
{
    shared_by_two s;
    constexpr int bytes = 400'000;
    REQUIRE(s.a.ask("start r receive_count h " + std::to_string(bytes)) == "ok");
    REQUIRE(s.b.ask("start r receive_count h " + std::to_string(bytes)) == "ok");
    s.x.send(std::string(bytes, 'z'));
    s.x.shutdown_send();
    const std::string by_a = s.a.ask("join r");
    const std::string by_b = s.b.ask("join r");
    INFO(by_a << " and " << by_b);
    CHECK(std::stoi(by_a) + std::stoi(by_b) == bytes);
}

TEST_CASE("a forked child's handles are counted, and go with it", "[DUP-17]")
{
    one_connection s;
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string owner = s.a.ask("self");
    CHECK(s.a.ask("in_fork handles h").front() == '2');
    CHECK(s.a.ask("in_fork query h").find("owner=" + owner) != std::string::npos);
    CHECK(s.a.ask("in_fork self") != owner);
    s.a.ask("sweep");
    CHECK(s.a.ask("handles h").front() == '1');
    s.x.send("x");
    CHECK(test::signalled(s.a));
}

TEST_CASE("close ends the blocking calls of its own process on that handle, and of no other", "[DUP-18]")
{
    shared_by_two s;
    REQUIRE(s.a.ask("start r receive h 1") == "ok");
    REQUIRE(s.b.ask("start r receive h 1") == "ok");
    REQUIRE(s.a.ask("running r") == "yes");
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("join r").find("error: operation_canceled") == 0);
    CHECK(s.b.ask("running r") == "yes");
    s.x.send("x");
    CHECK(s.b.ask("join r") == "\"x\"");
}

// --- beyond the rules ---------------------------------------------------------------------------------------------------

TEST_CASE("a ticket for a process that has not attached waits with its source", "[DUP-3][G9]")
{
    one_connection s;
    test::scratch_segment elsewhere;
    peer late{elsewhere.name()}; // of this segment it is no member yet
    const std::string ticket = s.a.ask("duplicate h " + late.pid() + " pid");
    REQUIRE(ticket.size() == 128);
    CHECK(refused(s.b.ask("redeem h " + ticket), "ticket_wrong_process"));
    REQUIRE(late.ask("attach " + s.segment.name()) == "ok");
    CHECK(late.ask("redeem h " + ticket) == "ok"); // by ptrace rights; else the source would have to serve
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(late.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
}

TEST_CASE("a forged, altered or foreign ticket is refused, each with its reason", "[ERR-2][fault-64][G10]")
{
    one_connection s;
    const std::string text = s.ticket_for(s.b);
    ss::ticket forged = ss::ticket::from_text(text);
    forged.nonce ^= 1;
    CHECK(refused(s.b.ask("redeem h " + forged.to_text()), "ticket_used"));
    forged = ss::ticket::from_text(text);
    forged.handle += 1000;
    CHECK(refused(s.b.ask("redeem h " + forged.to_text()), "ticket_used"));
    forged = ss::ticket::from_text(text);
    forged.segment[3] ^= 1;
    CHECK(refused(s.b.ask("redeem h " + forged.to_text()), "ticket_foreign_segment"));
    for (std::size_t digit = 0; digit < text.size(); digit += 7) {
        std::string altered = text;
        altered[digit] = altered[digit] == '0' ? '1' : '0';
        CHECK(refused(s.b.ask("redeem h " + altered), "ticket_malformed"));
    }
    CHECK(s.b.ask("redeem h " + text) == "ok");
}

TEST_CASE("a full mailbox is an error, loses nothing, and has room again when it is read", "[fault-43]")
{
    test::scratch_segment home({.sockets = 8, .processes = 4, .handles = 2'000});
    test::connection pair(home);
    peer b{home.name()};
    const ss::process_id target = home->find_process(b.process().pid()).value();
    std::vector<ss::ticket> tickets;
    ss::error_code ec;
    while (tickets.size() < 1'500) {
        const ss::ticket one = pair.socket.duplicate(target, ec);
        if (ec) break;
        tickets.push_back(one);
    }
    CHECK(ec == ss::errc::mailbox_full);
    CHECK(pair.socket.handles().size() == tickets.size() + 1);
    REQUIRE(b.ask("redeem h0 " + tickets.front().to_text()) == "ok");
    CHECK_NOTHROW(tickets.push_back(pair.socket.duplicate(target)));
    CHECK(b.ask("redeem h1 " + tickets.back().to_text()) == "ok");
    CHECK(b.ask("redeem h2 " + tickets[1].to_text()) == "ok");
}

TEST_CASE("a published socket is opened by name from any live holder, also when another has died", "[fault-19]")
{
    shared_by_two s;
    REQUIRE(s.a.ask("publish h line") == "ok");
    s.a.process().kill(SIGKILL);
    s.a.process().wait();
    peer c{s.segment.name()};
    REQUIRE(c.ask("open_published h line") == "ok");
    CHECK(c.ask("send h c") == "1");
    CHECK(s.x.receive(1) == "c");
    REQUIRE(s.b.ask("close h") == "ok");
    REQUIRE(c.ask("close h") == "ok");
    s.b.ask("sweep");
    CHECK(c.ask("open_published h line").find("error: no_such_file_or_directory") == 0);
}
