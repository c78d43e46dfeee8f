// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/status.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace sharedsock {

class segment;

namespace prefork {

class worker;

namespace detail {
class supervisor_impl;
}

/// The parent of a crew of workers: starts them, replaces those that die, restarts them one after the other, ends them.
///
/// It acts only inside its calls: it has no thread and no signal handler, and touches nothing else of the process. It sees deaths
/// through pidfds, and reaps only its own workers; other children are left alone, save with `options::reap_orphans`. Drive it
/// from any loop (when `native_handle` is readable, call `poll`), or let `run` do so.
///
/// The supervisor replaces a worker that ends, in any way, without having been asked to. One that had been ready and ends with 0
/// has ended in order: it is replaced at once, and not counted. One that dies is replaced at once if it had been ready and its
/// predecessor had lasted, else after a delay that grows (`back_off`). If workers keep dying (`death_limit`), it gives up: `poll`
/// and `run` fail with `errc::workers_keep_dying`, and no worker is started any more until `start`, `resize` or `roll` is called.
///
/// @par Errors
/// A process that cannot be started (EAGAIN, EMFILE, ENOMEM, ENOENT) is a failed start like any other: it is tried again,
/// and `worker_status::failure` has the reason. The calls themselves fail as each says. Where a filter denies a system call by
/// which a supervisor waits for workers or ends them, the constructor throws; where one by which it starts them, the supervisor
/// gives up with that error instead of `errc::workers_keep_dying`. Both name the call (`denied_call`).
/// @par Safety
/// Threads: one at a time. fork(2): a child's copy owns no worker; its destructor only closes descriptors. Signal handlers: not
/// callable. A forked worker is a copy of the calling thread alone: locks that other threads held stay locked in it, so a
/// program with threads of its own should execute its workers. (The library's locks and malloc's are free in the worker.)
class supervisor {
public:
    /// Workers are forked: each calls `body` and ends with _exit(2) and its result; it must flush the buffered streams that it
    /// wrote to. When `body` has returned, the worker is detached from its segments, so that its end is no death there; if
    /// other threads still run, that is left to the others' sweep. An exception is `worker_status::reason` and exit code 1. The
    /// supervisor's descriptors are closed in it.
    /// Throws `system_error` when descriptors or memory run out, `std::errc::invalid_argument` for too many workers.
    supervisor(options how, std::function<int(worker&)> body);

    /// Workers are executed. Nothing of the parent is copied, so threads do no harm.
    supervisor(options how, program what);

    /// Kills and reaps the workers that still run: call `stop` and `run` before for an orderly end.
    ~supervisor();
    supervisor(supervisor&&) noexcept;
    supervisor& operator=(supervisor&&) noexcept;

    void start(); ///< starts the workers, also after `stop`; returns when the processes exist
    /// More workers are started, or the last ones drained. `std::errc::invalid_argument`: more than `most_workers`.
    void resize(std::size_t workers, error_code& ec);
    void resize(std::size_t workers);
    /// Replaces all workers, some at a time (`options::max_unavailable`), the oldest first. During another roll it goes on with the
    /// workers that have waited longest, so every worker is replaced however often this is called.
    void roll();
    void stop();     ///< drains all, within `drain_limits`
    void stop_now(); ///< SIGKILL to all

    /// Readiness barrier: waits until all wanted workers are ready, and no restart is under way. If the time is over, it fails with
    /// the kernel's error if the kernel refused to start a worker that is missing (`too_many_files_open`,
    /// `resource_unavailable_try_again`), else with `std::errc::timed_out`. `errc::workers_keep_dying`: `status` has the reason.
    /// `std::errc::operation_canceled`: `stop` was called.
    void wait_ready(std::chrono::nanoseconds limit, error_code& ec);
    void wait_ready(std::chrono::nanoseconds limit = for_ever);

    /// Readable when `poll` has something to do. Constant; do not read from it or close it.
    int native_handle() const noexcept;
    /// Does that work, without blocking. `errc::workers_keep_dying`: the supervisor has given up, until `start`, `resize` or
    /// `roll`. `bad_file_descriptor`: other code of this process has closed the supervisor's descriptors; end it, and make another.
    void poll(error_code& ec);
    void poll();

    /// Starts the workers unless `start` or `stop` was called before, and supervises until all have ended after `stop` (from
    /// `on_change`, or by a signal). `errc::workers_keep_dying`: the other workers were drained before the call
    /// returned. It does not give up while a rolling restart or a retirement fails but old workers serve: they go on.
    /// `errc::workers_killed`: all have ended, and some of them by a signal instead of draining: SIGKILL after `drain_limits`,
    /// `stop_now`, or from elsewhere. End the process with a status that says so; the form without `ec` throws, and main then does.
    void run(error_code& ec);
    void run();

    /// From now on these signals come to the supervisor, whenever it polls, and lose their former effect: signalfd(2). They are
    /// blocked in the calling thread until the supervisor is destroyed, so call it before other threads exist. Workers that are
    /// started later take the same signals as `signal_set::workers` says. SIGINT, SIGQUIT and SIGHUP are not taken if they are
    /// ignored now: nohup(1), and the shell that starts a job in the background, have asked for that.
    void take_signals(const signal_set& which, error_code& ec);
    void take_signals(const signal_set& which = {});

    /// From now on the segment shows this attachment as the parent of so many workers (`sharedsock list`). Each time a worker has
    /// died the supervisor sweeps the segment, so that all that the worker had is free at once. `errc::not_attached`:
    /// open the segment.
    void appear_in(const segment& where, error_code& ec);
    void appear_in(const segment& where);

    std::vector<worker_status> status() const; ///< of all places in use, in order
    crew_status crew() const;

private:
    std::unique_ptr<detail::supervisor_impl> impl_;
};

} // namespace prefork
} // namespace sharedsock
