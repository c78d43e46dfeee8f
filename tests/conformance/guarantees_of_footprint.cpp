// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The guarantees of the README about what the library brings into a process (G11), and what it costs there (G12).
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/deadline.hpp"
#include "support/scratch_segment.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

std::size_t tasks_of(pid_t process)
{
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(process) + "/task");
    return static_cast<std::size_t>(std::distance(all, {}));
}

std::vector<void (*)(int)> signal_handlers()
{
    std::vector<void (*)(int)> all;
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        struct sigaction now {};
        ::sigaction(signal, nullptr, &now);
        all.push_back(now.sa_handler);
    }
    return all;
}

int inheritable() // descriptors that an exec'ed program would get
{
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int flags = ::fcntl(std::stoi(entry.path().filename()), F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) ++count;
    }
    return count;
}

} // namespace

SHAREDSOCK_CHILD_ROLE(uses the library and looks at itself)
{
    const int inheritable_before = inheritable();
    const auto handlers_before   = signal_handlers();
    const ss::segment home       = ss::segment::create_unnamed();
    test::connection pair(home);
    ss::event_object ready;
    pair.socket.event_select(ready, ss::network_event::all);
    pair.say("x");
    ready.wait();
    static_cast<void>(pair.socket.enum_network_events(ready));
    ss::shared_socket again = ss::shared_socket::redeem(home, pair.socket.duplicate(home.self()));
    ss::hand_over_unacknowledged(std::move(again), home.self(), {test::carry_pattern(1, 100'000), 1});
    const auto received = ss::receive_hand_over(home);
    static_cast<void>(ss::hand_over_handle(home));
    static_cast<void>(home.native_handle());
    role.say("threads " + std::to_string(tasks_of(::getpid())));
    role.say(signal_handlers() == handlers_before ? "handlers the same" : "handlers changed");
    role.say("inherited " + std::to_string(inheritable() - inheritable_before));
    return 0;
}

TEST_CASE("nothing is left of an unnamed segment after its last orderly detach", "[G11]")
{
    test::scratch_directory scratch;
    const auto left = [&] { return !std::filesystem::is_empty(scratch.path()); };
    {
        const ss::segment home  = ss::segment::create_unnamed({.directory = scratch.path()});
        const ss::segment other = ss::segment::open_unnamed(home.memory_handle(), {.directory = scratch.path()});
        test::connection s(home);
        ss::shared_socket again = ss::shared_socket::redeem(other, s.socket.duplicate(other.self()));
        ss::event_object ready;
        again.event_select(ready, ss::network_event::read);
        s.say("x");
        CHECK(ready.wait(test::patience));
        CHECK(left()); // its doorbells and mailboxes, which other processes have to find
    }
    CHECK_FALSE(left());
}

TEST_CASE("no hidden thread, no signal handler, and everything close-on-exec", "[G11]")
{
    test::child_process child("uses the library and looks at itself");
    CHECK(child.line() == "threads 1");
    CHECK(child.line() == "handlers the same");
    CHECK(child.line() == "inherited 0");
    CHECK(child.wait() == 0);
}

namespace {

// System calls that `role` makes between two SIGSTOPs that it sends itself, in thousands of rounds of one call.
long calls_of(const char* what)
{
    test::child_process child("sends and receives", {what});
    const pid_t pid = child.pid();
    child.wait_for("ready");
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACESYSGOOD) != 0)
        throw std::system_error(errno, std::generic_category(), "ptrace");
    child.tell("go");
    long calls    = 0;
    bool counting = false, entering = true;
    for (int status = 0; ::waitpid(pid, &status, __WALL) == pid && !WIFEXITED(status) && !WIFSIGNALED(status);) {
        int signal = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            calls += counting && entering ? 1 : 0;
            entering = !entering;
        } else if (WSTOPSIG(status) == SIGUSR1) {
            counting = !counting;
            entering = true;
            if (!counting) {
                ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
                break;
            }
        } else if (status >> 16 == 0) {
            signal = WSTOPSIG(status);
        }
        ::ptrace(PTRACE_SYSCALL, pid, nullptr, signal);
    }
    child.wait();
    return calls;
}

} // namespace

SHAREDSOCK_CHILD_ROLE(sends and receives)
{
    ::signal(SIGUSR1, SIG_IGN); // the tracer sees it all the same
    test::scratch_segment home;
    test::connection pair(home);
    ss::event_object ready;
    pair.socket.set_blocking(false);
    const bool raw = role.args.at(0) == "raw";
    if (role.args.at(0) == "through a registered handle") {
        // Nothing of it waits for a send or a receive that succeeds.
        pair.socket.event_select(ready, ss::network_event::write | ss::network_event::close);
        static_cast<void>(pair.socket.enum_network_events(ready));
    }
    role.say("ready");
    role.hear();
    ::raise(SIGUSR1);
    for (int round = 0; round < 500; ++round) {
        std::byte byte{};
        if (raw) {
            if (::send(pair.peer, "x", 1, MSG_NOSIGNAL) != 1 || ::recv(pair.socket.native_handle(), &byte, 1, MSG_DONTWAIT) != 1 ||
                ::send(pair.socket.native_handle(), &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(pair.peer, &byte, 1, 0) != 1)
                return 1;
        } else {
            if (::send(pair.peer, "x", 1, MSG_NOSIGNAL) != 1 || pair.socket.receive({&byte, 1}) != 1 ||
                pair.socket.send({&byte, 1}) != 1 || ::recv(pair.peer, &byte, 1, 0) != 1)
                return 1;
        }
    }
    ::raise(SIGUSR1);
    return 0;
}

TEST_CASE("send and receive through a handle make no system call more than the raw calls", "[G12]")
{
    const long raw = calls_of("raw");
    CHECK(raw >= 2'000);
    CHECK(calls_of("through a handle") == raw);
    CHECK(calls_of("through a registered handle") == raw);
}
