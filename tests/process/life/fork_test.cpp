// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// fork(2) and what comes near it, in a child role: a test binary with its reporters is not forked.
#include "base/unique_fd.hpp"
#include "process/forking.hpp"
#include "support/at_the_end.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::child_facts;
using test::in_forked_child;

SHAREDSOCK_CHILD_ROLE(forks with an open handle and a registration)
{
    test::scratch_segment home;
    test::connection pair(home);
    ss::event_object ready;
    pair.socket.event_select(ready, ss::network_event::read);
    const ss::process_id parent      = home->self();
    const std::size_t handles_before = pair.socket.handles().size();

    int gate[2], back[2];
    if (::pipe(gate) != 0 || ::pipe(back) != 0) return 99;
    const pid_t child = ::fork();
    if (child == 0) {
        child_facts all;
        all.expect(home->self() && home->self() != parent);      // 1: a member of its own
        all.expect(home->alive(parent));                         // 2
        all.expect(pair.socket.registration()->owner == parent); // 3: never owner of an inherited registration
        all.expect(!ready.is_set());                             // 4: a fresh event object
        char go = 0;
        all.expect(::write(back[1], "b", 1) == 1 && ::read(gate[0], &go, 1) == 1); // 5: the parent has closed its handle
        all.expect(pair.socket.send("late") == 4);                                 // 6: this one still works
        all.expect(!pair.socket.registration());                   // 7: the parent's registration went with its handle
        pair.socket.event_select(ready, ss::network_event::write); // 8: and this process can have it
        all.expect(ready.is_set());
        ::_exit(all.first_wrong());
    }
    child_facts all;
    all.expect(pair.socket.handles().size() == handles_before + 1); // 1: counted when fork returns
    all.expect(home->processes().size() == 2);                      // 2
    char looked = 0;
    all.expect(::read(back[0], &looked, 1) == 1); // 3: the child has looked
    pair.say("x");
    all.expect(ready.wait(5s));                                                      // 4: the parent is owner still
    all.expect(pair.socket.enum_network_events(ready).has(ss::network_event::read)); // 5
    std::byte byte{};
    pair.socket.receive({&byte, 1}); // with a byte unread the end of a Unix stream would be a reset
    pair.socket.close();
    all.expect(::write(gate[1], "g", 1) == 1); // 6
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) {
        role.say("the child found fact " + std::to_string(WEXITSTATUS(status)) + " wrong");
        return 1;
    }
    char room[8];
    all.expect(::recv(pair.peer, room, sizeof room, 0) == 4); // 7
    all.expect(::recv(pair.peer, room, sizeof room, 0) == 0); // 8: the end, with the child's exit: no reference is left
    all.expect(home->sweep() == 1);                           // 9: it did not detach
    all.expect(home->processes().size() == 1);                // 10
    role.say(all.first_wrong() == 0 ? "all true" : "the parent found fact " + std::to_string(all.first_wrong()) + " wrong");
    return 0;
}

TEST_CASE("a forked child has counted handles of its own and no registration", "[DUP-17]")
{
    test::child_process forks("forks with an open handle and a registration");
    CHECK(forks.line() == "all true");
    CHECK(forks.wait() == 0);
}

namespace {

std::atomic<bool>* fork_has_returned = nullptr; // in the parent; null where no fork is delayed

// In a child, before the library's hook: until its parent waits for it, or does not and has gone on.
void wait_for_parent()
{
    if (fork_has_returned == nullptr) return;
    ::close(STDIN_FILENO); // no descriptor is left to look with
    const std::string about = "/proc/" + std::to_string(::getppid()) + "/stat";
    test::eventually([&] {
        char state = 0;
        std::ifstream(about).ignore(4096, ')') >> state;
        return state == 'S' || fork_has_returned->load();
    });
}

} // namespace

SHAREDSOCK_CHILD_ROLE(forks without a descriptor left)
{
    ::pthread_atfork(nullptr, nullptr, wait_for_parent); // before the library's, which comes with the first attachment
    test::scratch_segment home;
    test::connection pair(home);
    void* const shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 99;
    fork_has_returned = new (shared) std::atomic<bool>(false);
    std::vector<ss::detail::unique_fd> rest;
    for (int next = ::dup(pair.peer); next >= 0; next = ::dup(pair.peer))
        rest.emplace_back(next);

    const pid_t child = ::fork();
    if (child == 0) ::_exit(pair.socket.send("late") == 4 ? 0 : 1);
    pair.socket.close();
    fork_has_returned->store(true);
    int status = -1;
    ::waitpid(child, &status, 0);
    rest.clear();
    role.say(status == 0 ? "the child has its handle" : "the child has none");
    return 0;
}

TEST_CASE("a forked child has counted its handles when fork returns, also where no descriptor is left", "[DUP-17][fault-41]")
{
    test::child_process forks("forks without a descriptor left");
    CHECK(forks.line() == "the child has its handle");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(clones without fork)
{
    test::scratch_segment home;
    test::connection pair(home);
    child_facts all;
    const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        ss::error_code ec;
        pair.socket.duplicate(ss::process_id{0, 1}, ec);
        ::_exit(ec == ss::errc::not_attached && !home->self() ? 0 : 1);
    }
    int status = -1;
    ::waitpid(static_cast<pid_t>(child), &status, 0);
    all.expect(status == 0);
    all.expect(pair.socket.handles().size() == 1);
    all.expect(home->alive(home->self()));
    role.say(all.first_wrong() == 0 ? "all true" : "fact " + std::to_string(all.first_wrong()) + " is wrong");
    return 0;
}

TEST_CASE("a child of a raw clone is not attached, and its parent is unaffected", "[fault-22]")
{
    test::child_process clones("clones without fork");
    CHECK(clones.line() == "all true");
    CHECK(clones.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks while threads are inside the library)
{
    test::scratch_segment home({.sockets = 64, .processes = 64});
    test::connection pair(home);
    std::atomic<bool> stop{false};
    std::vector<std::jthread> threads;
    const test::at_the_end enough([&] { stop.store(true); }); // by an exception too
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            while (!stop.load()) {
                ss::event_object ready;
                ss::shared_socket own = ss::shared_socket::redeem(*home, pair.socket.duplicate(home->self()));
                own.event_select(ready, ss::network_event::read | ss::network_event::write);
                static_cast<void>(own.enum_network_events(ready));
            }
        });
    int wrong        = 0;
    const int rounds = std::stoi(role.args.at(0));
    for (int round = 0; round < rounds && wrong == 0; ++round) {
        wrong = in_forked_child([&](child_facts& all) {
            all.expect(static_cast<bool>(home->self()));
            all.expect(pair.socket.send("x") == 1);
            ss::event_object ready; // the parent's threads register all the time as well: the last registration owns the events
            ss::error_code ec;
            pair.socket.event_select(ready, ss::network_event::write, {}, ec);
            all.expect(!ec);
        });
        char room[1];
        if (wrong == 0 && ::recv(pair.peer, room, 1, 0) != 1) wrong = 98;
        home->sweep();
    }
    stop.store(true);
    for (std::jthread& thread : threads)
        thread.join();
    role.say(wrong == 0 ? "all true" : "a child found fact " + std::to_string(wrong) + " wrong");
    return 0;
}

TEST_CASE("fork in the middle of other threads' calls leaves a child that can use the library", "[fault-23]")
{
    test::child_process forks("forks while threads are inside the library", {"200"});
    CHECK(forks.line() == "all true");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(becomes another program)
{
    const ss::segment home = ss::segment::open(role.args.at(0));
    role.say(ss::to_string(home.self()) + " " + std::to_string(::getpid()));
    ss::shared_socket socket = ss::shared_socket::redeem(home, ss::ticket::from_text(*role.hear()));
    ss::event_object ready;
    socket.event_select(ready, ss::network_event::read);
    role.say("owner");
    role.hear();
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
    return 99;
}

TEST_CASE("exec ends the attachment: handles, registration and all", "[fault-27]")
{
    test::scratch_segment home;
    test::connection pair(home);
    test::child_process execs("becomes another program", {home.name()});
    execs.line();
    execs.tell(pair.socket.duplicate(*home->find_process(execs.pid())).to_text());
    execs.wait_for("owner");
    CHECK(pair.socket.handles().size() == 2);
    execs.tell("go");
    CHECK(test::eventually([&] { return home->sweep() == 1; }));
    CHECK_FALSE(pair.socket.registration());
    CHECK(pair.socket.handles().size() == 1);
}
