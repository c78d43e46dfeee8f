// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The process that a pid means: across pid namespaces, and where /proc is another namespace's.
#include "base/process_identity.hpp"

#include "process/shared_stream.hpp"
#include "support/peer_elsewhere.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;
using ss::detail::process_called;
using ss::detail::process_identity;
using ss::detail::this_process;

namespace {

std::string to_string(const process_identity& one)
{
    return std::to_string(one.pid) + " " + std::to_string(one.pid_namespace) + " " + std::to_string(one.start_time);
}

} // namespace

TEST_CASE("a process sees itself as others of its pid namespace see it", "[fault-105]")
{
    ss::error_code ec;
    const process_identity mine = this_process();
    CHECK(mine.known());
    CHECK(mine.pid == ::getpid());
    CHECK(to_string(process_called(::getpid(), ec).identity) == to_string(mine));
    CHECK_FALSE(ec);
    CHECK(still_runs(process_called(::getpid(), ec)));
}

TEST_CASE("a pid that no process has is a target that is gone", "[fault-105]")
{
    ss::error_code ec;
    for (const std::int32_t none : {0, -1, 0x7fff'ffff}) {
        CHECK_FALSE(process_called(none, ec).identity.known());
        CHECK(ec == ss::errc::target_gone);
    }
}

TEST_CASE("the stamps of processes differ if their namespace or their start differs, and none is zero if it is known",
          "[fault-105]")
{
    const process_identity one{7, 0xf000'0001, 1'000};
    CHECK(one.stamp() != 0);
    CHECK(one.stamp() == process_identity{7, 0xf000'0001, 1'000}.stamp());
    CHECK(one.stamp() != process_identity{7, 0xf000'0002, 1'000}.stamp());
    CHECK(one.stamp() != process_identity{7, 0xf000'0001, 1'001}.stamp());
    for (const process_identity& unknown : {process_identity{7, 0, 1'000}, process_identity{7, 0xf000'0001, 0}})
        CHECK(unknown.stamp() == 0);
}

SHAREDSOCK_CHILD_ROLE("says who it is in a pid namespace of its own")
{
    if (::unshare(CLONE_NEWPID) != 0) {
        role.say("may not");
        return 0;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ss::error_code ec;
        const process_identity mine = this_process();
        const auto called           = process_called(::getpid(), ec);
        role.say(to_string(mine) == to_string(called.identity) && !ec ? to_string(mine) : "differs: " + ec.message());
        role.say(std::to_string(called.proc_pid));
        role.hear();
        ::_exit(0);
    }
    role.say(std::to_string(child));
    int status = 0;
    ::waitpid(child, &status, 0);
    ::_exit(0);
}

TEST_CASE("a process in a child pid namespace is known by its own pid and start, though /proc is the parent namespace's",
          "[fault-105]")
{
    test::child_process other("says who it is in a pid namespace of its own");
    std::vector<std::string> lines{other.line()};
    if (lines[0] == "may not") {
        WARN("skipped: only root can make a pid namespace");
        return;
    }
    lines.push_back(other.line());
    lines.push_back(other.line());
    // Two processes have written: the one that has a space in it is the identity.
    std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
    ss::error_code ec;
    const auto seen = process_called(std::stoi(lines[0]), ec);
    CHECK_FALSE(ec);
    CHECK(lines[0] == lines[1]);
    CHECK(to_string(seen.identity) == lines[2]);
    CHECK(seen.identity.pid == 1);
    CHECK(seen.identity.pid_namespace != this_process().pid_namespace);
    other.close_input();
    other.wait();
}

TEST_CASE("a process in a child pid namespace is found by its pid outside, and not by the one that it has itself",
          "[DUP-3][fault-105]")
{
    test::scratch_segment segment;
    test::peer_elsewhere inner(segment.name());
    if (!inner.possible()) {
        WARN("skipped: only root can make a pid namespace");
        return;
    }
    const auto found = segment->find_process(inner.pid());
    REQUIRE(found);
    CHECK(inner.ask("self") == std::to_string(found->index) + "." + std::to_string(found->generation));
    CHECK(inner.ask("pid") == "1");
    CHECK_FALSE(segment->find_process(1));
    test::shared_stream s(segment);
    const ss::ticket ticket = s.socket.duplicate_for_pid(inner.pid());
    CHECK(ticket.target_pid == 1); // its own number
    CHECK(inner.ask("redeem h " + ticket.to_text()) == "ok");
}

TEST_CASE("a process whose record names another pid is not taken for that process", "[DUP-3][fault-104]")
{
    test::scratch_segment segment;
    test::peer one(segment.name()), other(segment.name());
    const auto id                                                   = id_of(segment, one);
    segment->attachment()->member()->bytes().process(id.index)->pid = other.process().pid();
    CHECK(segment->find_process(other.process().pid()) == id_of(segment, other));
    CHECK_FALSE(segment->find_process(one.process().pid()));
}

TEST_CASE("a ticket by pid for a process in a child pid namespace that has not attached is redeemed by it", "[DUP-3][fault-105]")
{
    test::scratch_segment segment, elsewhere;
    test::peer_elsewhere newcomer(elsewhere.name());
    if (!newcomer.possible()) {
        WARN("skipped: only root can make a pid namespace");
        return;
    }
    test::shared_stream s(segment);
    const ss::ticket ticket = s.socket.duplicate_for_pid(newcomer.pid());
    CHECK(ticket.target == ss::process_id());
    CHECK(ticket.target_pid == 1);
    REQUIRE(newcomer.ask("attach " + segment.name()) == "ok");
    const auto serving = segment->serve_in_thread(); // this process is hidden from the child, so the child asks by message
    CHECK(newcomer.ask("redeem h " + ticket.to_text()) == "ok");
    s.x.send("x");
    CHECK(newcomer.ask("receive h 1") == "\"x\"");
}

TEST_CASE("a ticket by pid for a process of one pid namespace is not redeemed by a process of another that has the same pid",
          "[DUP-3][fault-105]")
{
    test::scratch_segment segment, elsewhere;
    test::peer_elsewhere target(elsewhere.name()), stranger(elsewhere.name());
    if (!target.possible() || !stranger.possible()) {
        WARN("skipped: only root can make a pid namespace");
        return;
    }
    test::shared_stream s(segment);
    const ss::ticket ticket = s.socket.duplicate_for_pid(target.pid());
    REQUIRE(stranger.ask("attach " + segment.name()) == "ok");
    REQUIRE(stranger.ask("pid") == "1");
    const auto serving = segment->serve_in_thread();
    CHECK(stranger.ask("redeem h " + ticket.to_text()) == "error: invalid_argument, ticket_wrong_process");
    target.end();
}
