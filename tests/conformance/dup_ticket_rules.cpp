// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP-1 to DUP-10: duplication by tickets.
#include "conformance/dup_steps.hpp"
#include "support/eventually.hpp"
#include "support/records_in_use.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::either_kind;
using test::peer;
using test::port_of;
using test::sockets_in_use;
using test::stream_of_a;
using test::stream_of_a_and_b;
using test::three_processes;

namespace {

bool refused(const std::string& answer, const char* code) { return answer == std::string("error: invalid_argument, ") + code; }

constexpr const char* used          = "error: invalid_argument, ticket_used";
constexpr const char* wrong_process = "error: invalid_argument, ticket_wrong_process";

} // namespace

TEST_CASE("a duplicate is another descriptor of the same socket", "[DUP-1]")
{
    const std::string kind = either_kind();
    stream_of_a_and_b s(kind);
    CHECK(s.b.ask("local h") == s.a.ask("local h"));
    CHECK(s.b.ask("peer h") == s.a.ask("peer h"));
    CHECK(s.b.ask("cookie h") == s.a.ask("cookie h"));
    CHECK(s.b.ask("id h") == s.a.ask("id h"));
    CHECK(s.b.ask("handle_id h") != s.a.ask("handle_id h"));
    CHECK(s.a.ask("send h a") == "1");
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(2) == "ab"); // one connection
    CHECK(sockets_in_use(s.segment) == 1);
}

TEST_CASE("a socket is shared by a ticket from the source and its redemption in the target", "[DUP-2]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(1) == "b");
    s.x.send("x");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
}

TEST_CASE("only the process that the ticket names may redeem it", "[DUP-3][G9]")
{
    stream_of_a s;
    const std::string ticket = s.ticket_for(s.b);
    CHECK(s.c.ask("redeem h " + ticket) == wrong_process);
    CHECK(s.a.ask("redeem g " + ticket) == wrong_process);
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(1) == "b");
}

TEST_CASE("a ticket is good for one redemption", "[DUP-4][fault-65][G9]")
{
    SECTION("by one process")
    {
        stream_of_a s;
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

TEST_CASE("a ticket is plain bytes, of which copies mean nothing", "[DUP-5]")
{
    stream_of_a s;
    const test::scratch_directory directory;
    const auto path          = directory.path() / "ticket";
    const std::string ticket = s.ticket_for(s.b);
    CHECK(ticket.size() == 2 * ss::ticket::size);
    CHECK(s.count(s.a) == "2");
    for (const auto& copy : {path, directory.path() / "copy"})
        std::ofstream(copy) << ticket;
    CHECK(s.count(s.a) == "2");
    std::filesystem::remove(directory.path() / "copy");
    CHECK(s.count(s.a) == "2");

    std::string read;
    std::ifstream(path) >> read;
    CHECK(s.b.ask("redeem h " + read) == "ok");
    CHECK(s.count(s.a) == "2");
    CHECK(s.b.ask("send h hello") == "5");
    CHECK(s.x.receive(5) == "hello");
}

TEST_CASE("a ticket holds a reference: the source may close at once", "[DUP-6][G6]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    CHECK(s.a.ask("close h") == "ok");
    CHECK(s.x.quiet());
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
}

TEST_CASE("a ticket outlives its source", "[DUP-7][fault-66]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.x.quiet());
    SECTION("that was swept") { CHECK(s.c.ask("sweep") == "1"); }
    SECTION("not found dead yet") {}
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
    s.x.send("x");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
    s.segment->sweep();
    CHECK(s.count(s.b) == "1");
}

TEST_CASE("a ticket that no process redeems ends with its target", "[DUP-8]")
{
    stream_of_a s(either_kind());
    s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.x.quiet());
    s.b.process().kill(SIGKILL);
    CHECK(s.x.ended());
    REQUIRE(s.b.process().wait() == -SIGKILL);
    CHECK(s.c.ask("sweep") == "1");
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("a ticket that is revoked is dead, and its reference goes with the target's next call", "[DUP-8]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    SECTION("by its source") { CHECK(s.a.ask("revoke " + ticket) == "yes"); }
    SECTION("by its target") { CHECK(s.b.ask("revoke " + ticket) == "yes"); }
    SECTION("by any other") { CHECK(s.c.ask("revoke " + ticket) == "yes"); }
    CHECK(s.b.ask("redeem h " + ticket) == used);
    CHECK(s.x.ended());
    CHECK(s.c.ask("revoke " + ticket) == "no");
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("a ticket has no time-out", "[DUP-8]")
{
    stream_of_a s;
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.x.quiet(5s));
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
}

TEST_CASE("no ticket is made for a process that is not there", "[DUP-8][ERR-2]")
{
    stream_of_a s;
    CHECK(s.a.ask("duplicate h 2147483632") == "error: no_such_process, target_gone");
    s.b.process().kill(SIGKILL);
    s.b.process().wait();
    CHECK(s.a.ask("duplicate h " + s.b.pid()).find("error: no_such_process") == 0);
    CHECK(s.a.ask("handles h").front() == '1');
}

TEST_CASE("a redemption that fails for want of a descriptor leaves the ticket good", "[DUP-9][fault-40]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    REQUIRE(s.b.ask("limit_descriptors 0") == "ok");
    CHECK(s.b.ask("redeem h " + ticket) == "error: too_many_files_open");
    CHECK(s.b.ask("redeem h " + ticket) == "error: too_many_files_open");
    REQUIRE(s.b.ask("limit_descriptors off") == "ok");
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended()); // no copy was left anywhere
}

TEST_CASE("a descriptor that came from a ticket is duplicated like any other", "[DUP-10]")
{
    stream_of_a_and_b s(either_kind());
    REQUIRE(test::share(s.b, "h", s.c) == "ok");
    REQUIRE(s.a.ask("close h") == "ok");
    REQUIRE(s.b.ask("close h") == "ok");
    CHECK(s.c.ask("send h c") == "1");
    CHECK(s.x.receive(1) == "c");
    s.x.send("x");
    CHECK(s.c.ask("receive h 1") == "\"x\"");
}

TEST_CASE("a socket is duplicated in any state, and stays in it", "[DUP-10]")
{
    three_processes s;
    REQUIRE(s.a.ask("open h tcp") == "ok");

    SECTION("unbound")
    {
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.b.ask("bind h 0") == "ok");
        REQUIRE(s.b.ask("listen h") == "ok");
        auto x = test::plain_socket::connect(port_of(s.b.ask("local h")));
        CHECK(s.b.ask("accept h s") == "ok");
    }
    SECTION("bound")
    {
        REQUIRE(s.a.ask("bind h 0") == "ok");
        const std::string address = s.a.ask("local h");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("local h") == address);
        REQUIRE(s.b.ask("listen h") == "ok");
        auto x = test::plain_socket::connect(port_of(address));
        CHECK(s.b.ask("accept h s") == "ok");
    }
    SECTION("listening, with a connection that waits")
    {
        REQUIRE(s.a.ask("bind h 0") == "ok");
        REQUIRE(s.a.ask("listen h") == "ok");
        auto x                   = test::plain_socket::connect(port_of(s.a.ask("local h")));
        const std::string ticket = s.a.ask("duplicate h " + s.b.pid());
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
        CHECK(s.b.ask("accept h s") == "ok");
        CHECK(s.b.ask("send s hello") == "5");
        CHECK(x.receive(5) == "hello");
    }
    SECTION("connecting")
    {
        test::plain_listener full(0);
        auto in_the_way        = test::plain_socket::connect(full.port()); // the queue has room for one
        const std::string port = std::to_string(full.port());
        REQUIRE(s.a.ask("blocking h off") == "ok");
        REQUIRE(s.a.ask("connect h " + port) == "error: operation_would_block");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("connect h " + port) == "error: connection_already_in_progress");
        auto first = full.accept();
        auto x     = full.accept();
        CHECK(test::eventually([&] { return s.b.ask("connect h " + port) == "error: already_connected"; }));
        CHECK(s.b.ask("send h b") == "1");
        CHECK(x.receive(1) == "b");
    }
    SECTION("shut down")
    {
        test::plain_listener listener;
        REQUIRE(s.a.ask("connect h " + std::to_string(listener.port())) == "ok");
        auto x = listener.accept();
        REQUIRE(s.a.ask("shutdown h send") == "ok");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("send h b") == "error: broken_pipe");
        x.send("x");
        CHECK(s.b.ask("receive h 1") == "\"x\"");
    }
}

TEST_CASE("a datagram socket is duplicated like a stream", "[DUP-10]")
{
    three_processes s;
    REQUIRE(s.a.ask("open h udp") == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    REQUIRE(s.c.ask("open h udp") == "ok");
    REQUIRE(s.c.ask("connect h " + std::to_string(port_of(s.a.ask("local h")))) == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.c.ask("send h hello") == "5");
    CHECK(s.b.ask("receive h 9") == "\"hello\"");
}

TEST_CASE("a process may duplicate for itself", "[DUP-10]")
{
    stream_of_a s(either_kind());
    REQUIRE(s.a.ask("redeem g " + s.a.ask("duplicate h self")) == "ok");
    CHECK(s.a.ask("fd g") != s.a.ask("fd h"));
    CHECK(s.a.ask("handle_id g") != s.a.ask("handle_id h"));
    CHECK(s.a.ask("id g") == s.a.ask("id h"));
    CHECK(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("send g a") == "1");
    CHECK(s.x.receive(1) == "a");
    CHECK(s.a.ask("close g") == "ok");
    CHECK(s.x.ended());
}

TEST_CASE("a ticket for a process that has not attached waits with its source", "[DUP-3][G9]")
{
    stream_of_a s;
    test::scratch_segment elsewhere;
    peer late{elsewhere.name()}; // `late` is no member of this segment yet
    const std::string ticket = s.a.ask("duplicate h " + late.pid() + " pid");
    REQUIRE(ticket.size() == 128);
    CHECK(refused(s.b.ask("redeem h " + ticket), "ticket_wrong_process"));
    REQUIRE(late.ask("attach " + s.segment.name()) == "ok");
    CHECK(late.ask("redeem h " + ticket) == "ok"); // by ptrace rights; else the source would have to serve
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(late.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
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
    stream_of_a_and_b s;
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
