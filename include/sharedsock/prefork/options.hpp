// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/prefork/status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sharedsock::prefork {

/// As a limit: no limit.
inline constexpr std::chrono::nanoseconds for_ever = std::chrono::nanoseconds::max();

/// How long the place of a worker that died stays empty: not at all the first time, if the worker had been ready; then `first`,
/// and twice as long with each death, up to `most`. After a worker that was ready for `stable` the delays begin anew.
struct back_off {
    std::chrono::nanoseconds first  = std::chrono::milliseconds(100);
    std::chrono::nanoseconds most   = std::chrono::seconds(30);
    std::chrono::nanoseconds stable = std::chrono::seconds(10);
};

/// When the supervisor gives up: `deaths` of workers that were not asked to end, in all places together, `within` so long. A start
/// that fails counts as a death. 0: never.
struct death_limit {
    std::uint32_t deaths            = 32;
    std::chrono::nanoseconds within = std::chrono::seconds(60);
};

/// How long a worker may take to end after each step: the request to drain (`worker::draining`), then SIGTERM; then comes SIGKILL.
/// Zero leaves a step out, save that a request is always made; `for_ever` means that the next step never comes.
struct drain_limits {
    std::chrono::nanoseconds asked      = std::chrono::seconds(30);
    std::chrono::nanoseconds terminated = std::chrono::seconds(5);
};

/// How a supervisor treats its workers.
struct options {
    std::size_t workers = 4; ///< to begin with; 0 to `most_workers`
    back_off respawn{};
    death_limit limit{};
    drain_limits drain{};
    /// The limit from a worker's start to its `worker::ready`; a worker that takes longer is killed, and its start has failed.
    std::chrono::nanoseconds start_limit = std::chrono::seconds(30);

    // For a rolling restart: how many workers may be missing at one time, and how many more than wanted may run. With 0 and 1
    // there are never fewer than wanted; 0 and 0 is taken for 1 and 0.
    std::size_t max_unavailable = 1;
    std::size_t surge           = 0;

    /// A signal that the kernel sends to a worker when the *thread* of its parent that started it ends (PR_SET_PDEATHSIG); 0: none.
    /// An orderly end does not need it: a worker treats its parent's death as a request to drain.
    int parent_death_signal = 0;

    /// Called at every change of a worker, inside the supervisor's calls: for logs. May call the supervisor, save `poll`, `run`
    /// and `wait_ready`. The state `ended` comes with the pid and `last_exit` when a process has ended, and without a pid when
    /// the supervisor has given up. Must not throw.
    std::function<void(const worker_status&)> on_change{};
};

inline constexpr std::size_t most_workers = 4'096;

/// A program to execute as a worker. It inherits stdin, stdout, stderr, `descriptors`, the signal mask that the supervisor's
/// thread had before `take_signals`, and its channel to the supervisor (`worker::inherit`).
struct program {
    std::string path = "/proc/self/exe";    ///< as execve(2) takes it, without a search; looked up anew at each start
    std::vector<std::string> arguments{};   ///< argv, its first word included; none: the path alone
    std::vector<std::string> environment{}; ///< "NAME=value" in addition to this process's, or instead of it
    std::vector<int> descriptors{};         ///< open in the worker under the same numbers, although they are close-on-exec

    /// False for a program that does not use this library: it is ready when it was executed, and the request to drain is SIGTERM.
    bool cooperates = true;
};

/// The signals that `supervisor::take_signals` takes, and their effects.
struct signal_set {
    bool stop  = true; ///< SIGTERM, SIGINT: `stop`; a second one: `stop_now`
    bool roll  = true; ///< SIGHUP: `roll`
    bool count = true; ///< SIGTTIN: one worker more; SIGTTOU: one fewer, but one stays
};

} // namespace sharedsock::prefork
