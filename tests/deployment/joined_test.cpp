// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// One socket of the kernel that several processes adopt into one segment: it has one slot, one owner of its events, one state.
#include "attach/handle.hpp"
#include "audit/inspection.hpp"
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/plain_socket.hpp"
#include "support/records_in_use.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// A listener that no process of the library has made: a super-server's.
int plain_listener()
{
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::listen(made, 8) == 0);
    return made;
}

// Runs `what` in a child that is attached by itself, and waits for its end.
int in_another_process(const test::scratch_segment& segment, const std::function<void(ss::segment&, test::child_facts&)>& what)
{
    return test::in_forked_child([&](test::child_facts& all) {
        ss::segment home = ss::segment::open(segment.name());
        what(home, all);
    });
}

std::size_t findings(const test::scratch_segment& segment)
{
    ss::error_code ec;
    return ss::command::inspect(segment.name(), {}, ec).size();
}

} // namespace

TEST_CASE("two processes that adopt one socket share its slot, and the second one's registration cancels the first one's",
          "[G1][fault-150]")
{
    const int inherited = plain_listener();
    test::scratch_segment segment;
    auto mine = ss::shared_socket::adopt(segment, ::dup(inherited));
    ss::event_object ready;
    mine.event_select(ready, ss::network_event::accept);
    const std::uint64_t id = mine.id();
    CHECK(in_another_process(segment, [&](ss::segment& home, test::child_facts& all) {
              auto theirs = ss::shared_socket::adopt(home, ::dup(inherited));
              all.expect(theirs.id() == id); // 1
              ss::event_object other;
              theirs.event_select(other, ss::network_event::accept);
              all.expect(theirs.registration()->owner == home.self()); // 2
          }) == 0);
    segment->sweep();
    CHECK_FALSE(mine.registration().has_value());
    CHECK(test::sockets_in_use(segment) == 1);
    CHECK(findings(segment) == 0);
    ::close(inherited);
}

TEST_CASE("a process that adopts a socket which another has made through the library joins its slot and its state",
          "[G1][fault-150]")
{
    test::scratch_segment segment;
    auto mine = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    mine.set_blocking(false);
    const int inherited    = ::dup(mine.native_handle()); // as a program passes it on to the next generation
    const std::uint64_t id = mine.id();
    CHECK(in_another_process(segment, [&](ss::segment& home, test::child_facts& all) {
              auto theirs = ss::shared_socket::adopt(home, ::dup(inherited));
              all.expect(theirs.id() == id);           // 1
              all.expect(!theirs.blocking());          // 2
              all.expect(theirs.handles().size() > 1); // 3
          }) == 0);
    ::close(inherited);
}

TEST_CASE("an accepted connection that another process adopts has one slot", "[G1][fault-150]")
{
    test::scratch_segment segment;
    auto listener          = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    auto caller            = test::plain_socket::connect(listener.local_address().port());
    auto mine              = listener.accept();
    const int inherited    = ::dup(mine.native_handle());
    const std::uint64_t id = mine.id();
    CHECK(in_another_process(segment, [&](ss::segment& home, test::child_facts& all) {
              all.expect(ss::shared_socket::adopt(home, ::dup(inherited)).id() == id); // 1
          }) == 0);
    ::close(inherited);
}

TEST_CASE("a socket that is adopted after its last handle was closed gets a slot of its own", "[G1][fault-150]")
{
    const int inherited = plain_listener();
    test::scratch_segment segment;
    for (int round = 0; round < 3; ++round) {
        auto mine = ss::shared_socket::adopt(segment, ::dup(inherited));
        CHECK(mine.handles().size() == 1);
        CHECK(test::sockets_in_use(segment) == 1);
    }
    CHECK(test::sockets_in_use(segment) == 0);
    ::close(inherited);
}

TEST_CASE("of processes that adopt one socket in the same instant, all have one slot", "[G1][fault-151]")
{
    constexpr int processes = 6, rounds = 40;
    test::scratch_segment segment({.sockets = 64, .processes = 32});
    auto* const ids = static_cast<std::uint64_t*>(
        ::mmap(nullptr, sizeof(std::uint64_t) * processes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    REQUIRE(ids != MAP_FAILED);
    for (int round = 0; round < rounds; ++round) {
        const int inherited = plain_listener();
        int ready[2], go[2], done[2];
        REQUIRE(::pipe(ready) == 0);
        REQUIRE(::pipe(go) == 0);
        REQUIRE(::pipe(done) == 0);
        std::vector<pid_t> children;
        for (int i = 0; i < processes; ++i) {
            children.push_back(::fork());
            if (children.back() != 0) continue;
            ss::segment home = ss::segment::open(segment.name());
            char byte        = 0;
            ::close(done[1]);
            if (::write(ready[1], "", 1) != 1 || ::read(go[0], &byte, 1) != 1) ::_exit(1);
            auto adopted = ss::shared_socket::adopt(home, ::dup(inherited));
            ids[i]       = adopted.id();
            if (::write(ready[1], "", 1) != 1) ::_exit(2);
            while (::read(done[0], &byte, 1) > 0) { // holds it until all have it
            }
            ::_exit(0);
        }
        char bytes[processes];
        const auto hear_all = [&] {
            for (int heard = 0; heard < processes; ++heard)
                REQUIRE(::read(ready[0], bytes, 1) == 1);
        };
        hear_all();
        REQUIRE(::write(go[1], bytes, processes) == processes);
        hear_all();
        for (int i = 1; i < processes; ++i)
            CHECK(ids[i] == ids[0]);
        CHECK(findings(segment) == 0);
        for (const int fd : {ready[0], ready[1], go[0], go[1], done[0], done[1], inherited})
            ::close(fd);
        for (const pid_t child : children)
            CHECK(test::ended(child) == 0);
        segment->sweep();
        CHECK(test::sockets_in_use(segment) == 0);
    }
    ::munmap(ids, sizeof(std::uint64_t) * processes);
}

TEST_CASE(
    "a process that is stopped while it adopts keeps others from adopting as long as their patience lasts, and from nothing else",
    "[fault-151]")
{
    test::scratch_segment segment({.sockets = 8, .processes = 8, .patience = std::chrono::milliseconds(50)});
    const int inherited = plain_listener();
    const pid_t child   = ::fork();
    if (child == 0) {
        ss::error_code ec;
        auto lock = segment->attachment()->member()->adoption_lock();
        lock.lock(ec);
        ::raise(SIGSTOP);
        ::_exit(0); // with the lock
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
    REQUIRE(WIFSTOPPED(status));
    ss::error_code ec;
    auto mine = ss::shared_socket::adopt(segment, inherited, ec);
    CHECK(ec == ss::errc::lock_timeout);
    CHECK(ss::shared_socket::open(segment, AF_INET, SOCK_STREAM).is_open());
    ::kill(child, SIGKILL);
    test::ended(child);
    mine = ss::shared_socket::adopt(segment, inherited, ec); // the descriptor had stayed the caller's
    CHECK_FALSE(ec);
    segment->sweep();
    CHECK(findings(segment) == 0);
}

TEST_CASE("a check reports two slots for one socket of the kernel", "[G1][fault-150]")
{
    test::scratch_segment segment;
    auto one   = ss::shared_socket::open(segment, AF_INET, SOCK_STREAM);
    auto other = ss::shared_socket::open(segment, AF_INET, SOCK_STREAM);
    CHECK(findings(segment) == 0);
    const auto honest           = other.impl()->slot().cookie;
    other.impl()->slot().cookie = one.impl()->slot().cookie; // as earlier versions left it
    ss::error_code ec;
    const auto found = ss::command::inspect(segment.name(), {}, ec);
    REQUIRE(found.size() == 1);
    CHECK(found[0].what == ss::command::finding::weight::damage);
    CHECK(found[0].text ==
          "socket 0.0 and socket 1.0 are one socket of the kernel, with cookie " + std::to_string(one.impl()->slot().cookie));
    other.impl()->slot().cookie = honest;
}
