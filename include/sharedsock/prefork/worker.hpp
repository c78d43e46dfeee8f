// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cstddef>
#include <cstdint>
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
/// Threads: `set_load`, `place` and `generation` are safe, the rest is not. fork(2): a child's copy still speaks for the parent:
/// do not use it, or execute another program. Signal handlers: not callable.
class worker {
public:
    /// For a process that a supervisor has executed. Call it once, before other threads exist: it takes its variables out of the
    /// environment and makes the descriptors close-on-exec, so that programs that this process starts are no workers.
    /// `errc::not_a_worker`: no supervisor has started this process (or it called this before): it runs on its own.
    static worker inherit(error_code& ec);
    static worker inherit();

    worker(worker&&) noexcept;
    worker& operator=(worker&&) noexcept;
    ~worker();

    /// False after `inherit` has failed: call nothing else then.
    explicit operator bool() const noexcept { return link_ != nullptr; }

    std::size_t place() const noexcept;        ///< 0 to one less than the number of workers
    std::uint32_t generation() const noexcept; ///< how many workers this place has had, this one included

    /// Tells the supervisor, once, that this worker serves. Until then a rolling restart, and `supervisor::wait_ready`, wait
    /// for it. `std::errc::broken_pipe`: the supervisor has died; `draining` is true then.
    void ready(error_code& ec);
    void ready();

    /// Whether to end: to accept no more, to serve the accepted connections, and to return from the worker's function or from
    /// main. True when the supervisor has asked for it, or has died; once true it stays so. One system call while it is false.
    bool draining();
    bool parent_gone() const noexcept; ///< whether `draining` is true because the supervisor died

    /// Readable when `draining` may have become true; for any loop. Constant; do not read from it or close it.
    int native_handle() const noexcept;

    /// Waits until `draining`.
    void wait_for_drain();

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
