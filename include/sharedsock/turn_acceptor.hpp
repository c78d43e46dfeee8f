// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/shared_socket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sharedsock {

/// The order in which the acceptors of a listener take turns.
enum class turn_order : std::uint8_t {
    first_come,   ///< by turns of `batch` connections
    least_loaded, ///< as `first_come`; besides, an acceptor with more load than another (`segment::set_load`, called after each
                  ///< connection that begins or ends) ends its turn after one connection
};

/// How an acceptor takes its turns.
struct turn_options {
    turn_order order = turn_order::least_loaded;

    /// Connections in a turn. 1 is strict alternation, at the cost of three cheap system calls for each connection. With more
    /// connections in a turn that cost vanishes, and shares are even over a few turns. 1 or more.
    std::uint32_t batch = 8;

    /// The longest time that a connection waits if the process that was woken for it was stopped (SIGSTOP) before it accepted,
    /// and no other connection comes. Each acceptor wakes up once in this time. 0: never; the connection then waits for the next
    /// connection, or for the process to continue. A death needs no patrol.
    std::chrono::milliseconds patrol{1'000};
};

/// Accepts from a listener that several processes share, in turn with the others, in any loop on epoll(7).
///
/// The accept queue is the kernel's: each acceptor waits for the listener in its process's own epoll, exclusively
/// (EPOLLEXCLUSIVE), so a connection wakes one process: the first in the queue that waits. After its batch an acceptor goes to the
/// end of the queue, which takes two calls of epoll_ctl(2), wakes no process, and yields the processor to the processes that are
/// waking up (sched_yield(2)). So
///   - an acceptor that is busy, stopped or dead is passed over: no connection waits while another acceptor is idle;
///   - connections that come one by one go round, where EPOLLEXCLUSIVE alone gives all of them to one process;
///   - an acceptor that is alone, or in its turn, accepts as fast as with a listener of its own: no word in shared memory changes.
///
/// No handle owns the listener's events meanwhile. An `event_select` or `stand_by` through any handle in any process still ends
/// accepting in turn: acceptors notice it at their next accept, leave the queue and fail with `errc::registration_cancelled`. An
/// accept that is under way at that moment may still take its connection: it is a call made through a handle, not a delivery.
///
/// @par Death and standstill
/// A process that dies between being woken and accepting leaves its connection to the others, which notice the death at once
/// (the alarm). A process that is stopped there leaves it to the acceptor that the next connection wakes, or to the patrol,
/// whichever comes first.
/// @par Safety
/// Threads: one at a time. Processes: safe, also if any of them dies. fork(2): the child's copy is not in the queue, and its calls
/// fail with `errc::not_attached`; make a new one from the child's listener. Signal handlers: not callable.
class turn_acceptor {
public:
    turn_acceptor() noexcept; ///< accepts from nothing
    /// Takes the handle over. @pre `listener` is open and listens; `options.batch` is not 0.
    explicit turn_acceptor(shared_socket listener, const turn_options& options = {});
    ~turn_acceptor(); ///< leaves the queue and closes the handle
    turn_acceptor(turn_acceptor&&) noexcept;
    turn_acceptor& operator=(turn_acceptor&&) noexcept;

    /// Joins the accept queue: puts two descriptors into `epoll`, level-triggered, with the numbers that epoll_wait(2) is to
    /// report for them. The form without `ec` throws `system_error`. The listener becomes non-blocking for all handles, as by a
    /// registration (REG-12), and so do the connections (STATE-13).
    ///
    /// @param epoll  an epoll instance of this process; it must stay open until `leave` or the destructor.
    /// @param ready  reported when connections wait: call `accept` or `accept_descriptor` once.
    /// @param alarm  reported seldom: call `look`. It may be the same as `ready`: then look when no connection waited.
    /// @par Errors
    /// `errc::registration_cancelled`: a handle owns the listener's events; call again when it has cancelled or closed. Kernel
    /// failures of epoll_ctl(2), timerfd_create(2): free descriptors or memory. After a failure the acceptor is not in the queue.
    void stand_by(int epoll, std::uint64_t ready, std::uint64_t alarm, error_code& ec);
    void stand_by(int epoll, std::uint64_t ready, std::uint64_t alarm);

    /// Leaves the accept queue. The kernel may have woken it for connections already: accept until `operation_would_block` if they
    /// shall not wait for the others' next look. Idempotent.
    void leave() noexcept;
    bool stands_by() const noexcept; ///< whether it is in the accept queue

    /// Accepts one connection, non-blocking and close-on-exec, that is not shared: it is the caller's, at the price of accept4(2).
    /// -1 with an error; the form without `ec` throws `system_error`. `shared_socket::adopt` shares the connection later.
    /// @par Errors
    /// `std::errc::operation_would_block`: no connection waits. `errc::registration_cancelled`: a handle owns the listener's
    /// events, and the acceptor has left the queue; call `stand_by` again when that registration has ended.
    /// `std::errc::too_many_files_open` and other shortages of this process: the acceptor has left the queue until the next
    /// `look`, so that other processes accept. `std::errc::connection_aborted` and its like: that connection failed; go on.
    int accept_descriptor(error_code& ec);
    int accept_descriptor();

    /// Accepts one connection as `shared_socket::accept` does, with a slot of its own in the listener's segment. Fails as
    /// `accept_descriptor` and `shared_socket::accept` do; the form without `ec` throws `system_error`.
    shared_socket accept(error_code& ec);
    shared_socket accept();

    /// To call after the alarm: sweeps dead acceptors, and looks anew whether connections wait. Never blocks.
    void look(error_code& ec);

    std::size_t others();                           ///< acceptors of other processes that are in the queue
    const shared_socket& listener() const noexcept; ///< to query; do not close it @pre not default-made or moved from
    std::uint64_t turns() const noexcept;           ///< how often it has gone to the end of the queue

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace sharedsock
