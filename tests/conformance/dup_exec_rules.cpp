// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP-3 for targets that execute programs: a ticket by pid is for the process, whatever it executes.
#include "support/catch.hpp"
#include "support/executed_program.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <array>
#include <memory>
#include <string>

#include <sys/socket.h>

namespace ss = sharedsock;

namespace {

// This process is the source.
struct source {
    test::scratch_segment segment;
    test::connection c{segment};
    std::shared_ptr<void> serving = segment->serve_in_thread(); // for targets that may not trace this process
};

// The program has its ticket: it redeems that once, no other process does, and the handle is good without the source's.
void redeems(source& s, test::started_child& child, const std::string& ticket)
{
    test::peer other(s.segment.name());
    CHECK(other.ask("redeem h " + ticket) == "error: invalid_argument, ticket_wrong_process");
    REQUIRE(child.ask("attach " + s.segment.name()) == "ok");
    CHECK(child.ask("redeem " + ticket) == "ok");
    CHECK(child.ask("redeem " + ticket) == make_error_code(ss::errc::ticket_used).message());
    s.c.socket.close();
    CHECK(child.ask("send late") == "4");
    std::array<char, 4> heard{};
    CHECK(::recv(s.c.peer, heard.data(), heard.size(), MSG_WAITALL) == 4);
    CHECK(std::string(heard.data(), heard.size()) == "late");
}

} // namespace

TEST_CASE("a ticket by pid is redeemed by a target that was forked and has executed its program", "[DUP-3][G9]")
{
    source s;
    test::started_child child(test::by_fork_and_exec);
    REQUIRE(child.line() == "runs");
    redeems(s, child, s.c.socket.duplicate_for_pid(child.pid()).to_text());
}

TEST_CASE("a ticket by pid is redeemed by a target that was spawned", "[DUP-3][G9]")
{
    source s;
    test::started_child child(test::by_spawn);
    const std::string ticket = s.c.socket.duplicate_for_pid(child.pid()).to_text(); // whether or not the program runs already
    REQUIRE(child.line() == "runs");
    redeems(s, child, ticket);
}

TEST_CASE("a ticket by pid belongs to the process: a program that it executes after the ticket was made redeems it", "[DUP-3][G9]")
{
    source s;
    test::started_child child(test::by_a_shell);
    REQUIRE(child.line() == "shell");
    const std::string ticket = s.c.socket.duplicate_for_pid(child.pid()).to_text();
    REQUIRE(child.ask("go") == "runs");
    redeems(s, child, ticket);
}

TEST_CASE("a ticket by pid that is made between the fork and the exec of its target is redeemed by the program", "[DUP-3][G9]")
{
    source s;
    test::started_child child(test::by_fork_and_late_exec);
    REQUIRE(child.line() == "forked");
    const std::string ticket = s.c.socket.duplicate_for_pid(child.pid()).to_text(); // the child is attached
    REQUIRE(child.ask("go") == "runs");
    redeems(s, child, ticket);
}
