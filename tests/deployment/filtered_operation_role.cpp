// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "deployment/call_filter.hpp"
#include "fault/operations/public_operations.hpp"
#include "support/role.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <sys/resource.h>

namespace {

// "descriptors 20" or "megabytes 64".
void limit_to(const std::string& what, rlim_t value)
{
    const rlim_t bound = what == "megabytes" ? value << 20 : value;
    const rlimit limit{bound, bound};
    if (::setrlimit(what == "megabytes" ? RLIMIT_AS : RLIMIT_NOFILE, &limit) != 0)
        throw std::system_error(errno, std::generic_category(), "setrlimit");
}

std::set<std::uint64_t> numbers_in(const std::string& names)
{
    std::set<std::uint64_t> all;
    std::istringstream words(names);
    for (std::string name; words >> name;)
        all.insert(test::kernel_number(name));
    return all;
}

std::string attempt(const std::function<void()>& what)
{
    try {
        what();
    } catch (const std::bad_alloc&) {
        return "out of memory";
    } catch (const std::exception& failure) {
        return std::string("error: ") + failure.what();
    }
    return "done";
}

} // namespace

/// args: operation, directory, "early" or "late", system call, error. Hears a ticket, and does the operation with its preparations
/// ("early") or after them ("late"), in a thread that may not make the system call. Call 0: nothing is denied, and the operation
/// lies between two signals to itself. Call "only": all are denied but those in a list of names that follows. A limit and its value
/// may follow, which hold from the beginning. Says the outcome, the verdict on it, and that all has ended.
SHAREDSOCK_CHILD_ROLE("does one operation under a filter")
{
    ::signal(SIGUSR1, SIG_IGN); // a tracer sees it all the same
    const test::public_operation& one  = test::public_operations().at(role.args.at(0));
    const bool early                   = role.args.at(2) == "early";
    const auto call                    = role.args.at(3) == "only" ? 0 : std::stoul(role.args.at(3));
    const std::set<std::uint64_t> only = role.args.at(3) == "only" ? numbers_in(role.args.at(5)) : std::set<std::uint64_t>();
    const int error                    = std::stoi(role.args.at(4));
    auto self                          = std::make_unique<test::victim>(role.args.at(1), *role.hear());
    if (role.args.size() > 6) limit_to(role.args.at(5), std::stoul(role.args.at(6)));
    if (!early) one.prepare(*self);
    role.say("ready");
    role.hear();
    std::string outcome, verdict;
    const auto work = [&] {
        if (!only.empty())
            test::permit_only(only, error);
        else if (call != 0)
            test::deny_call(call, error);
        else
            ::raise(SIGUSR1);
        outcome = early ? attempt([&] { one.prepare(*self); }) : "done";
        if (outcome == "done") outcome = attempt([&] { one.act(*self); });
        verdict = outcome;
        if (outcome == "done")
            verdict = attempt([&] {
                if (!one.holds(*self)) throw std::runtime_error("it says that it is done, and it is not so");
            });
        self.reset();
        if (call == 0 && only.empty()) ::raise(SIGUSR1);
    };
    if (call != 0 || !only.empty())
        std::thread(work).join(); // the filter leaves this thread alone, which has to tell
    else
        work(); // a tracer follows this thread
    role.say(outcome);
    role.say(verdict);
    role.say("ended");
    return 0;
}
