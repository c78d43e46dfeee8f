// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A worker of the ledger as a process: it starts, forks and ends.
#include "soak/ledger_worker.hpp"
#include "support/descriptors.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <sstream>
#include <system_error>

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ledger {

namespace {

// A copy of the calling thread that no fork hook has seen.
pid_t raw_clone() { return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)); }

} // namespace

void worker::enter(int depth, doing what)
{
    stage& one   = desk_.stages[depth];
    one.since_ns = now_ns();
    one.what     = what;
    one.active   = true;
}

void worker::end_child(ending how)
{
    enter(doing::ends);
    if (how == ending::in_order) std::exit(0);
    if (how == ending::by_exec) ::execl("/bin/true", "true", nullptr);
    ::_exit(how == ending::by_exec ? 4 : 0);
}

void worker::fork_child(const std::function<void()>& in_child, ending how, const std::string& how_far, bool raw,
                        const std::function<void()>& meanwhile)
{
    const std::uint32_t stops = desk_.stops;
    enter(doing::forks);
    enter(depth_ + 1, raw ? doing::acts : doing::leaves_fork);
    const std::uint64_t start = now_ns();
    const pid_t child         = raw ? raw_clone() : ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        ++depth_;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        enter(doing::acts);
        in_child();
        end_child(how);
    }
    const std::uint64_t took = now_ns() - start;
    desk_.forks.fetch_add(1, std::memory_order_relaxed);
    if (took > 4'000'000'000ull * test::slowness && desk_.stops == stops) {
        ::poll(nullptr, 0, 1000); // the child may come out of fork() when its parent has
        const bool hangs = desk_.stages[depth_ + 1].what == doing::leaves_fork;
        find("fork returned after %.1f s, and its child %s; before: %s", static_cast<double>(took) / 1e9,
             hangs ? "hangs inside fork()" : "goes on", how_far.c_str());
    }
    if (meanwhile) {
        enter(doing::acts);
        meanwhile();
    }
    wait_for_child(child, how_far);
    enter(doing::acts);
}

void worker::wait_for_child(pid_t child, const std::string& how_far)
{
    enter(doing::waits_for_child);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
    desk_.stages[depth_ + 1].active = false;
    while (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        ::pause(); // the judge ends this whole worker
    if (WIFSIGNALED(status))
        find("a child was killed by signal %d while it %s; before: %s", WTERMSIG(status),
             desk_.stages[depth_ + 1].what == doing::leaves_fork ? "was inside fork()" : "acted or ended", how_far.c_str());
    if (WEXITSTATUS(status) == 3) ::_exit(3); // the child has written its finding
    if (WEXITSTATUS(status) != 0) find("a child ended with %d; before: %s", WEXITSTATUS(status), how_far.c_str());
}

void prepare_process(const std::string& scenario)
{
    if (scenario != "standard") return;
    for (const int standard : {0, 1, 2}) // as a daemon is started
        ::close(standard);
}

namespace {

// The worker is the first process of a new pid namespace; this process waits for its end and ends with the same code.
void enter_pid_namespace()
{
    if (::unshare(CLONE_NEWPID) != 0) throw std::system_error(errno, std::generic_category(), "unshare");
    const pid_t inner = ::fork();
    if (inner < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (inner == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        return;
    }
    int status = 0;
    while (::waitpid(inner, &status, 0) < 0 && errno == EINTR) {
    }
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

} // namespace

} // namespace ledger

/// args: segment, directory, place, seed, books, scenario, "inner" for a pid namespace of its own, the parts that are left out.
SHAREDSOCK_CHILD_ROLE("works for the ledger")
{
    const std::string scenario = role.args.at(5);
    ::setpgid(0, 0); // the judge ends it together with its children
    if (role.args.at(6) == "inner") ledger::enter_pid_namespace();
    ledger::prepare_process(scenario);
    ledger::assignment told{role.args.at(0),
                            role.args.at(1),
                            static_cast<std::uint32_t>(std::stoul(role.args.at(2))),
                            static_cast<std::uint32_t>(std::stoul(role.args.at(3))),
                            {}};
    std::istringstream without(role.args.at(7));
    for (std::string each; std::getline(without, each, ',');)
        told.without.insert(each);

    ledger::shared_books kept(role.args.at(4));
    ledger::desk& desk       = kept->desks[told.place];
    const std::size_t before = test::open_descriptors();
    std::string trouble;
    try {
        {
            const auto one = ledger::make_worker(scenario, told, kept);
            role.say("works");
            one->work();
        }
        desk.stages[0].active   = false;
        const std::size_t after = test::open_descriptors();
        // In the scenario `closed` the run's own descriptors have been closed too, and the three standard ones are left.
        const std::size_t standard = 3;
        if (after != before && !(scenario == "closed" && after == standard))
            trouble = std::to_string(after) + " descriptors are open at the end instead of " + std::to_string(before);
    } catch (const std::exception& failure) {
        trouble = std::string("an exception: ") + failure.what();
    }
    if (trouble.empty()) return 0;
    std::snprintf(desk.finding, sizeof desk.finding, "%s", trouble.c_str());
    desk.wrote = 2;
    return 3;
}
