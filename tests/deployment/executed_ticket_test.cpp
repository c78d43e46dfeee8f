// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Tickets by pid for processes that fork, attach and execute programs, at every moment of that.
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/executed_program.hpp"
#include "support/peer.hpp"
#include "support/records_in_use.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// Whether the peer of a connection sees its end now: no process holds the socket any more.
bool ended(const test::connection& c)
{
    char byte = 0;
    return ::recv(c.peer, &byte, 1, MSG_DONTWAIT) == 0;
}

const std::string used = make_error_code(ss::errc::ticket_used).message();

int to_parent[2], to_child[2]; // of the child's hook below

// In the child of a fork, before the library's hook: says that it is there, and waits.
void before_the_library()
{
    const pid_t self = ::getpid();
    char byte        = 0;
    if (::write(to_parent[1], &self, sizeof self) != sizeof self || ::read(to_child[0], &byte, 1) != 1) ::_exit(125);
}

} // namespace

// Forks with a hook in front of the library's. Another thread makes a ticket for the child while it waits there.
SHAREDSOCK_CHILD_ROLE("forks a child that waits before the hook of the library")
{
    const std::string how = role.args.at(0);
    if (::pipe(to_parent) != 0 || ::pipe(to_child) != 0) return 1;
    ::pthread_atfork(nullptr, nullptr, before_the_library); // before the library installs its own
    test::scratch_segment segment;
    test::connection c(segment);
    std::string ticket;
    std::thread other([&] {
        pid_t child = 0;
        if (::read(to_parent[0], &child, sizeof child) != sizeof child) return;
        ticket = c.socket.duplicate_for_pid(child).to_text();
        static_cast<void>(::write(to_child[1], "", 1));
    });
    auto serving = std::shared_ptr<void>();
    {
        test::started_child child(how == "executes" ? test::by_fork_and_late_exec : [](int in, int out) {
            const pid_t forked = ::fork();
            if (forked != 0) return forked;
            ::dup2(in, STDIN_FILENO);
            ::dup2(out, STDOUT_FILENO);
            ::_exit(test::run_role("executed program", {})); // no exec: it is a role of the forked process
        });
        other.join();
        if (how == "executes") child.line();
        if (how == "executes") child.tell("go");
        role.say(child.line());
        serving = segment->serve_in_thread();
        role.say(child.ask("attach " + segment.name()));
        role.say(child.ask("redeem " + ticket));
    }
    return 0;
}

TEST_CASE("a ticket by pid that is made before the target's fork hook has run is good in the program that it executes",
          "[fault-147]")
{
    test::child_process forks("forks a child that waits before the hook of the library", {"executes"});
    CHECK(forks.line() == "runs");
    CHECK(forks.line() == "ok");
    CHECK(forks.line() == "ok");
    CHECK(forks.wait() == 0);
}

TEST_CASE("a ticket by pid that is made before the target's fork hook has run is good in the forked child", "[fault-147]")
{
    test::child_process forks("forks a child that waits before the hook of the library", {"stays"});
    CHECK(forks.line() == "runs");
    CHECK(forks.line() == "ok");
    CHECK(forks.line() == "ok");
    CHECK(forks.wait() == 0);
}

TEST_CASE("a ticket by pid that is made between the fork and the exec of its target is good in the program", "[fault-147]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    test::started_child child(test::by_fork_and_late_exec);
    REQUIRE(child.line() == "forked");
    REQUIRE(segment->find_process(child.pid()).has_value()); // attached by the fork
    const ss::ticket ticket = c.socket.duplicate_for_pid(child.pid());
    CHECK(ticket.target_pid == child.pid());
    REQUIRE(child.ask("go") == "runs");

    SECTION("before any process has swept the attachment that ended") {}
    SECTION("after a sweep") { CHECK(segment->sweep() == 1); }
    SECTION("after a sweep, and after its source has looked")
    {
        CHECK(segment->sweep() == 1);
        segment->poll();
    }
    SECTION("though it is only after the program has attached that it is swept")
    {
        REQUIRE(child.ask("attach " + segment.name()) == "ok");
        segment->sweep();
    }
    SECTION("after its source has closed its handle") { c.socket.close(); }
    SECTION("after the program has executed another one")
    {
        REQUIRE(child.ask("attach " + segment.name()) == "ok");
        REQUIRE(child.ask("execute") == "runs");
    }
    REQUIRE(child.ask("attach " + segment.name()) == "ok");
    CHECK(child.ask("redeem " + ticket.to_text()) == "ok");
    CHECK(child.ask("redeem " + ticket.to_text()) == used);
    if (c.socket.is_open()) c.socket.close();
    CHECK_FALSE(ended(c));
    CHECK(child.ask("send late") == "4");
    std::array<char, 4> heard{};
    CHECK(::recv(c.peer, heard.data(), heard.size(), MSG_WAITALL) == 4);
    CHECK(child.ask("close") == "ok");
    segment->poll();
    CHECK(ended(c)); // nothing is kept for the ticket
    segment->sweep();
    CHECK(test::sockets_in_use(segment) == 0);
}

TEST_CASE("a ticket by pid for a process that attached by itself is good in the program that it executes then", "[fault-147]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    test::started_child child(test::by_spawn);
    REQUIRE(child.line() == "runs");
    REQUIRE(child.ask("attach " + segment.name()) == "ok");
    const std::string ticket = c.socket.duplicate_for_pid(child.pid()).to_text();
    REQUIRE(child.ask("execute") == "runs");
    REQUIRE(child.ask("attach " + segment.name()) == "ok");
    CHECK(child.ask("redeem " + ticket) == "ok");
}

TEST_CASE("a ticket by pid is fetched from a source that serves where the executed program may not take it itself", "[fault-147]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    test::started_child child(test::by_fork_and_late_exec);
    REQUIRE(child.line() == "forked");
    const std::string ticket = c.socket.duplicate_for_pid(child.pid()).to_text();
    c.socket.close();
    REQUIRE(child.ask("go") == "runs");
    test::hide_descriptor_numbers(segment);
    REQUIRE(child.ask("attach " + segment.name()) == "ok");
    CHECK(child.ask("redeem " + ticket) == make_error_code(ss::errc::no_serving_holder).message());
    const auto serving = segment->serve_in_thread();
    CHECK(child.ask("redeem " + ticket) == "ok"); // it was not used up
    CHECK(child.ask("send late") == "4");
}

TEST_CASE("a ticket by pid that its target redeems without executing a program leaves nothing with a source that never serves",
          "[fault-148]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    test::peer target(segment.name());
    const std::string ticket = c.socket.duplicate_for_pid(target.process().pid()).to_text();
    c.socket.close();
    CHECK_FALSE(ended(c));
    CHECK(target.ask("redeem h " + ticket) == "ok");
    CHECK(target.ask("close h") == "ok");
    CHECK(ended(c)); // though this process has made no call since
}

TEST_CASE("a ticket by pid dies with its source once its target has executed a program", "[fault-148]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    test::peer source(segment.name());
    REQUIRE(source.ask("redeem h " + c.socket.duplicate_for_pid(source.process().pid()).to_text()) == "ok");
    c.socket.close();
    test::started_child child(test::by_fork_and_late_exec);
    REQUIRE(child.line() == "forked");
    const std::string ticket = source.ask("duplicate h " + std::to_string(child.pid()) + " pid");
    REQUIRE(child.ask("go") == "runs");
    SECTION("the source is swept first") {}
    SECTION("the ticket had been given back to the source") { CHECK(segment->sweep() == 1); }
    source.process().kill(SIGKILL);
    source.process().wait();
    segment->sweep();
    REQUIRE(child.ask("attach " + segment.name()) == "ok");
    CHECK(child.ask("redeem " + ticket) == used);
    segment->sweep();
    CHECK(test::sockets_in_use(segment) == 0);
    CHECK(ended(c));
}

TEST_CASE("a ticket by pid ends with its target", "[fault-148]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    auto child = std::make_unique<test::started_child>(test::by_fork_and_late_exec);
    REQUIRE(child->line() == "forked");
    static_cast<void>(c.socket.duplicate_for_pid(child->pid()));
    CHECK(c.socket.handles().size() == 3); // this process's, the forked child's, the ticket
    SECTION("that has not executed a program: the sweep ends it") {}
    SECTION("that has executed a program: its source ends it")
    {
        REQUIRE(child->ask("go") == "runs");
        CHECK(segment->sweep() == 1);
        CHECK(c.socket.handles().size() == 2);
    }
    child.reset(); // kills it
    segment->sweep();
    segment->poll();
    CHECK(c.socket.handles().size() == 1);
    c.socket.close();
    CHECK(ended(c));
}

TEST_CASE("a ticket by pid whose target has executed a program can be revoked", "[fault-148]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    test::started_child child(test::by_fork_and_late_exec);
    REQUIRE(child.line() == "forked");
    const ss::ticket ticket = c.socket.duplicate_for_pid(child.pid());
    SECTION("before the exec")
    {
        CHECK(segment->revoke(ticket));
        REQUIRE(child.ask("go") == "runs");
    }
    SECTION("after it")
    {
        REQUIRE(child.ask("go") == "runs");
        CHECK(segment->revoke(ticket));
    }
    SECTION("after it and a sweep")
    {
        REQUIRE(child.ask("go") == "runs");
        CHECK(segment->sweep() == 1);
        CHECK(segment->revoke(ticket));
    }
    c.socket.close();
    REQUIRE(child.ask("attach " + segment.name()) == "ok");
    CHECK(child.ask("redeem " + ticket.to_text()) == used);
    segment->sweep();
    CHECK(ended(c));
    CHECK(test::sockets_in_use(segment) == 0);
}
