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
/// and twice as long with each death, up to `most`. After a worker that was ready for `stable` the delays begin anew. A worker
/// that said that it was ready and then ended with 0 has not died: it is replaced at once, however many do so.
struct back_off {
    std::chrono::nanoseconds first  = std::chrono::milliseconds(100);
    std::chrono::nanoseconds most   = std::chrono::seconds(30);
    std::chrono::nanoseconds stable = std::chrono::seconds(10);
};

/// When the supervisor gives up: `deaths` of workers that were not asked to end, in all places together, `within` so long. A start
/// that fails counts as a death; an end with 0 of a worker that had been ready does not. 0: never.
struct death_limit {
    std::uint32_t deaths            = 32;
    std::chrono::nanoseconds within = std::chrono::seconds(60);
};

/// How long a worker may take to end after each step: the request to drain (`worker::draining`), then SIGTERM; then comes SIGKILL.
/// Zero leaves a step out, save that a request is always made; `for_ever` means that the next step never comes. A worker that takes
/// SIGTERM as a request itself (`signal_set::workers`) does not end by it, and SIGKILL is the only step that does not depend on it.
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

    /// How long a worker that is ready may give no sign of life (`worker::beat`); then it is killed and replaced, within one and a
    /// half of this time. It counts as a death, and `worker_status::failure` is `errc::worker_hung`. A worker that SIGSTOP or a
    /// terminal has stopped is seen in its state, and has the same limit. Time in which the supervisor was stopped as well does not
    /// count. Set it for workers that beat; a program that does not cooperate has no watchdog.
    std::chrono::nanoseconds watchdog = for_ever;

    // For a rolling restart: how many workers may be missing at one time, and how many more than wanted may run. With 0 and 1
    // there are never fewer than wanted; 0 and 0 is taken for 1 and 0.
    std::size_t max_unavailable = 1;
    std::size_t surge           = 0;

    /// A signal that the kernel sends to a worker when the *thread* of its parent that started it ends (PR_SET_PDEATHSIG); 0: none.
    /// An orderly end does not need it: a worker treats its parent's death as a request to drain.
    int parent_death_signal = 0;

    /// Reaps the dead children that are no workers: those that the first process of a container (PID 1), or a subreaper, inherits.
    /// At every `poll`, and once a second. Leave it off in a program that waits for children of its own: they are taken from it.
    bool reap_orphans = false;

    /// Called at every change of a worker, inside the supervisor's calls: for logs. May call the supervisor, save `poll`, `run`
    /// and `wait_ready`. The state `ended` comes with the pid and `last_exit` when a process has ended, and without a pid when
    /// the supervisor has given up. Must not throw.
    std::function<void(const worker_status&)> on_change{};
};

inline constexpr std::size_t most_workers = 4'096;

/// A program to execute as a worker. It inherits stdin, stdout, stderr, `descriptors`, the signal mask that the supervisor's
/// thread had before `take_signals`, and its channel to the supervisor (`worker::inherit`). Signals that the supervisor ignores
/// stay ignored, as execve(2) has it. A program that cooperates gets the signals of `signal_set::workers` blocked, so that one that
/// comes before `worker::inherit` waits for it.
struct program {
    /// As execve(2) takes it, without a search; looked up anew at each start. The default is this program, under the name that its
    /// file had when the supervisor was made: after an upgrade that replaces the file, new workers are of the new version. While
    /// no file has that name, they are of the running version. Name the path if it leads through a symbolic link that changes.
    std::string path = "/proc/self/exe";
    std::vector<std::string> arguments{};   ///< argv, its first word included; none: the path alone
    std::vector<std::string> environment{}; ///< "NAME=value" in addition to this process's, or instead of it
    std::vector<int> descriptors{};         ///< open in the worker under the same numbers, although they are close-on-exec

    /// False for a program that does not use this library: it is ready when it was executed, and the request to drain is SIGTERM.
    bool cooperates = true;
};

/// The signals that `supervisor::take_signals` takes, and their effects.
struct signal_set {
    bool stop  = true; ///< SIGTERM, SIGINT, SIGQUIT: `stop`; another one, after `one_request`: `stop_now`
    bool roll  = true; ///< SIGHUP: `roll`
    bool count = true; ///< SIGTTIN: one worker more; SIGTTOU: one fewer, but one stays

    /// Whether workers take SIGTERM, SIGINT, SIGQUIT as a request to drain (with `stop`), and are left alone by the other signals
    /// of this set: a terminal, and systemd's KillMode, send a signal to every process of a service. These signals are blocked in
    /// the workers, and in the programs that they start unless those set their mask. False: workers get the signal mask and the
    /// effects from before the call, and a signal to all processes ends them. A program that does not cooperate always gets those.
    bool workers = true;

    /// Stop signals that come so soon after the first are one request: timeout(1), a shell and a terminal may send one each.
    std::chrono::nanoseconds one_request = std::chrono::seconds(1);
};

} // namespace sharedsock::prefork
