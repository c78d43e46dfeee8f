// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/failing_new.hpp"
#include "fault/operations/public_operations.hpp"
#include "support/descriptors.hpp"
#include "support/role.hpp"

#include <csignal>
#include <cstddef>
#include <new>
#include <optional>
#include <string>

namespace {

std::string attempt(const test::public_operation& one, test::victim& self)
{
    try {
        one.act(self);
    } catch (const std::bad_alloc&) {
        return "out of memory";
    } catch (const std::exception& failure) {
        return std::string("error: ") + failure.what();
    }
    return "done";
}

// Checks the outcome; "so" if it holds.
std::string judge(const test::public_operation& one, test::victim& self, const std::string& outcome,
                  std::optional<std::size_t> before)
{
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    if (::sigismember(&blocked, SIGTERM) != 0) return "signals are blocked";
    const auto after = self.records();
    if (outcome == "done") return one.holds(self) ? "so" : "done, it says, and it is not so";
    if (one.whole && before && after && before != after)
        return "there were " + std::to_string(*before) + " records and are " + std::to_string(*after) + " after " + outcome;
    return "so";
}

} // namespace

/// args: operation, directory, which allocation fails. Hears a ticket, prepares, and does the operation between two signals to
/// itself. Says the outcome, the verdict on it, and how many allocations it took; then the same of a second attempt, if the first
/// failed; and how many descriptors are left in the end.
SHAREDSOCK_CHILD_ROLE(does one operation)
{
    ::signal(SIGUSR1, SIG_IGN); // the tracer sees it all the same
    const test::public_operation& one = test::public_operations().at(role.args.at(0));
    const std::string ticket          = *role.hear();
    const auto before                 = test::open_descriptors();
    {
        test::victim self(role.args.at(1), ticket);
        one.prepare(self);
        const auto records = self.records();
        role.say("ready");
        role.hear();
        ::raise(SIGUSR1);
        (one.in_child ? test::fail_allocation_in_child : test::fail_allocation)(std::stoul(role.args.at(2)));
        std::string outcome     = attempt(one, self);
        const std::size_t taken = test::allocations();
        ::raise(SIGUSR1);
        role.say(outcome);
        role.say(judge(one, self, outcome, records));
        role.say(std::to_string(taken));
        if (outcome != "done") {
            outcome = attempt(one, self);
            role.say(outcome);
            role.say(judge(one, self, outcome, records));
        }
    }
    role.say(std::to_string(static_cast<int>(test::open_descriptors()) - static_cast<int>(before)));
    role.hear();
    return 0;
}
