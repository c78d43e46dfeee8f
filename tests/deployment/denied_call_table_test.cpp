// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Every system call of every public operation, denied by a filter: the operation ends, and works in another way or names the call.
#include "deployment/call_filter.hpp"
#include "deployment/filtered_operation.hpp"
#include "fault/harness/call_survivor.hpp"
#include "fault/harness/call_tracer.hpp"
#include "fault/harness/sampling.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <sys/syscall.h>

namespace {

constexpr const char* role = "does one operation under a filter";

// Calls of the harness, and those without which the C library cannot go on: it ends the process if a futex(2) is denied.
bool of_the_harness(std::uint64_t call)
{
    return std::set<std::uint64_t>{SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_tgkill, SYS_gettid, SYS_getppid, SYS_futex}
        .contains(call);
}

// Calls whose failure the C library does not report, or that only give something back: an operation has to end under such a filter,
// and need not name the call.
bool may_fail_silently(std::uint64_t call)
{
    return std::set<std::uint64_t>{SYS_brk,         SYS_close,           SYS_geteuid, SYS_getpid,       SYS_madvise,
                                   SYS_mmap,        SYS_mprotect,        SYS_munmap,  SYS_rt_sigaction, SYS_rt_sigprocmask,
                                   SYS_sched_yield, SYS_set_robust_list, SYS_rseq}
        .contains(call);
}

struct filtered {
    std::string operation;
    std::string when; // early: with its preparations; late: after them
    std::uint64_t call;
    int error;
};

test::child_process prepare(test::call_survivor& here, const filtered& point)
{
    test::child_process child(
        role, {point.operation, here.directory(), point.when, std::to_string(point.call), std::to_string(point.error)});
    child.tell(here.next_ticket(child.pid()));
    child.wait_for("ready");
    return child;
}

std::set<std::uint64_t> calls_of(test::call_survivor& here, const std::string& operation, const std::string& when, bool in_child)
{
    std::set<std::uint64_t> all;
    test::child_process child = prepare(here, {operation, when, 0, 0});
    test::call_tracer tracer(child.pid(), in_child);
    child.tell("go");
    using stop = test::call_tracer::stop;
    for (stop at = tracer.next(); at != stop::over; at = tracer.next())
        if (at == stop::entry) all.insert(tracer.call().number);
    tracer.let_go();
    child.wait_for("ended");
    CHECK(child.wait() == 0);
    here.check();
    return all;
}

std::set<std::uint64_t> all_calls_of(test::call_survivor& here, const std::string& operation, const std::string& when)
{
    std::set<std::uint64_t> all = calls_of(here, operation, when, false);
    if (when == "late" && test::public_operations().at(operation).in_child) all.merge(calls_of(here, operation, when, true));
    return all;
}

std::vector<filtered> table(test::call_survivor& here, std::set<std::string>& names)
{
    std::vector<filtered> points;
    for (const auto& [operation, one] : test::public_operations())
        for (const char* const when : {"early", "late"})
            for (const std::uint64_t call : all_calls_of(here, operation, when)) {
                names.insert(test::kernel_name(call));
                if (of_the_harness(call)) continue;
                for (const int error : {EPERM, ENOSYS})
                    points.push_back({operation, when, call, error});
            }
    return points;
}

// Whether the sentence says which call was denied, and what to do.
bool tells(const std::string& sentence, std::uint64_t call)
{
    const auto has = [&](const std::string& word) { return sentence.find(word) != std::string::npos; };
    return has(test::kernel_name(call)) && has("; ");
}

// The operations make sockets and processes of their own, besides the library.
bool failed_outside_the_library(const std::string& outcome, std::uint64_t call)
{
    const auto is            = [&](const char* words) { return outcome.find(words) != std::string::npos; };
    const bool forks         = call == SYS_clone || call == SYS_clone3;
    const bool knows_no_dead = call == SYS_fcntl; // `repair` ends those that the kernel calls dead, and then it calls none so
    return (is("the dead are not swept") && knows_no_dead) || (is("no child") && (forks || call == SYS_wait4)) ||
           (is("error: fork: ") && forks) || (is("error: socketpair") && call == SYS_socketpair) ||
           (is("what was handed over is not shown") && test::kernel_name(call).ends_with("poll"));
}

bool ends_well(const std::string& outcome, std::uint64_t call)
{
    return outcome == "done" || tells(outcome, call) || may_fail_silently(call) || failed_outside_the_library(outcome, call);
}

} // namespace

TEST_CASE("under a filter that denies any one system call each operation ends, and works in another way or names the call",
          "[G7][fault-174]")
{
    if (!test::can_fail_calls()) {
        test::skip("the calls of an operation are traced on x86-64 only, in a build without sanitizers");
        return;
    }
    test::call_survivor here;
    test::sampling sample(300);
    std::set<std::string> names;
    const std::vector<filtered> points = table(here, names);
    const char* const only             = std::getenv("SHAREDSOCK_TEST_POINT"); // "operation, when, call, EPERM"
    std::size_t told = 0, tried = 0;
    for (const filtered& each : only != nullptr ? points : sample.of(points)) {
        const std::string point =
            each.operation + ", " + each.when + ", " + test::kernel_name(each.call) + ", " + ::strerrorname_np(each.error);
        if (only != nullptr && point.find(only) == std::string::npos) continue;
        INFO(sample.text() << ": " << point);
        test::filtered_operation answers;
        ++tried;
        try {
            test::child_process child = prepare(here, each);
            answers                   = test::filtered_operation::of(child);
        } catch (const std::exception& hung_or_crashed) {
            FAIL_CHECK(hung_or_crashed.what());
        }
        told += answers.outcome != "done";
        INFO("outcome: " << answers.outcome << "; verdict: " << answers.verdict);
        CHECK(ends_well(answers.outcome, each.call));
        CHECK(ends_well(answers.verdict, each.call));
        here.check();
    }
    std::printf("%s: %zu of %zu points, %zu reported as errors\n", sample.text().c_str(), tried, points.size(), told);
    for (const std::string& name : names)
        std::printf("%s ", name.c_str());
    std::printf("\n");
}

namespace {

// The block of names under "### The system calls" of the page.
std::string listed_calls()
{
    std::ifstream page(SHAREDSOCK_DEPLOYMENT_PAGE);
    std::string line, all;
    while (std::getline(page, line) && line != "### The system calls") {
    }
    while (std::getline(page, line) && !line.starts_with("```")) {
    }
    while (std::getline(page, line) && !line.starts_with("```"))
        all += line + ' ';
    return all;
}

} // namespace

TEST_CASE("each operation works under a filter that permits only the system calls that the page of deployment lists", "[fault-174]")
{
    if (!test::can_fail_calls()) {
        test::skip("a sanitizer makes system calls of its own, and the page lists those of x86-64");
        return;
    }
    test::call_survivor here;
    const std::string calls = listed_calls();
    REQUIRE_FALSE(calls.empty());
    for (const auto& [operation, one] : test::public_operations()) {
        INFO(operation);
        test::child_process child(role, {operation, here.directory(), "early", "only", std::to_string(EPERM), calls});
        child.tell(here.next_ticket(child.pid()));
        child.wait_for("ready");
        child.tell("go");
        CHECK(child.line() == "done");
        CHECK(child.line() == "done");
        child.wait_for("ended");
        CHECK(child.wait() == 0);
        here.check();
    }
}
