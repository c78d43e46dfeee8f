// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace sharedsock {

class segment;

namespace prefork {

namespace detail {
class worker_link;
}

/// A worker's own side: its place among the workers, and its channel to the supervisor.
///
/// A forked worker gets it as the argument of its function; an executed one calls `inherit`.
///
/// @par Safety
/// Threads: `set_load`, `beat`, `place`, `generation`, `beat_interval` and `jitter` are safe, the rest is not. fork(2): a child's
/// copy still speaks for the parent: do not use it, or execute another program. Signal handlers: not callable.
class worker {
public:
    /// For a process that a supervisor has executed. Call it once, before other threads exist: it takes its variables out of the
    /// environment and makes the descriptors close-on-exec, so that programs that this process starts are no workers. Signals that
    /// the supervisor takes (`signal_set::workers`) are blocked already, and stay so until the process ends.
    /// `errc::not_a_worker`: no supervisor has started this process (or it called this before): it runs on its own.
    static worker inherit(error_code& ec);
    static worker inherit();

    worker(worker&&) noexcept;
    worker& operator=(worker&&) noexcept;
    ~worker();

    /// False after `inherit` has failed: call nothing else then.
    explicit operator bool() const noexcept { return link_ != nullptr; }

    std::size_t place() const noexcept;        ///< from 0; a spare's, for a while, are those after the wanted ones
    std::uint32_t generation() const noexcept; ///< how many workers this place has had, this one included

    /// Tells the supervisor, once, that this worker serves. Until then a rolling restart, and `supervisor::wait_ready`, wait
    /// for it. `std::errc::broken_pipe`: the supervisor has died; `draining` is true then.
    void ready(error_code& ec);
    void ready();

    /// Whether to end: to accept no more, to serve the accepted connections, and to return from the worker's function or from
    /// main. True when the supervisor has asked for it, or has died, or a signal has come that workers take as a request
    /// (`signal_set::workers`); once true it stays so. One system call while it is false.
    bool draining();
    bool parent_gone() const noexcept; ///< whether `draining` is true because the supervisor died

    /// Readable when `draining` may have become true; for any loop. Constant; do not read from it or close it.
    int native_handle() const noexcept;

    /// Waits until `draining`.
    void wait_for_drain();

    /// Asks the supervisor, once, for a successor: after so many requests, or when memory has grown. The supervisor starts a spare
    /// worker in a further place, drains this one when the spare is ready (`draining`), fills its place, and drains the spare:
    /// there are never fewer workers than wanted. Until then this worker goes on. If several ask, they are replaced one after the
    /// other, or `options::surge` at a time. To end at once instead, return: the place is empty until the next worker is ready.
    /// `std::errc::broken_pipe`: the supervisor has died; `draining` is true then.
    void retire(error_code& ec);
    void retire();

    /// A number from 0 to `most`, the same at every call: spread evenly over the places, and another one for each generation. Add
    /// it to the limit after which a worker retires, and workers that started together do not retire together.
    std::uint64_t jitter(std::uint64_t most) const noexcept;

    /// A sign of life, for `options::watchdog`: a store to shared memory, without a system call. Call it from the loop that
    /// serves, at least once in `beat_interval`; from no thread that would go on while that loop hangs. With Asio,
    /// <sharedsock/asio/beat.hpp> does so.
    void beat() noexcept;
    /// An eighth of the supervisor's `options::watchdog`; `for_ever` if it has none.
    std::chrono::nanoseconds beat_interval() const noexcept;
    /// A function that does as `beat`, and may outlive this object; safe in any thread.
    std::function<void()> beater() const;

    /// Any measure of how busy this worker is; read by `supervisor::status` at any time. A store to shared memory, without a
    /// system call; in `appear_in`'s segment as well.
    void set_load(std::uint32_t load) noexcept;

    /// From now on the segment says that this attachment is a worker, and tells its place and its state (`sharedsock show`).
    /// `errc::not_attached`: `where` is attached to nothing.
    void appear_in(const segment& where, error_code& ec);
    void appear_in(const segment& where);

    explicit worker(std::shared_ptr<detail::worker_link> link) noexcept; ///< for the library itself

private:
    std::shared_ptr<detail::worker_link> link_;
};

} // namespace prefork
} // namespace sharedsock
