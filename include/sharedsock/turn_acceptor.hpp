// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/shared_socket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sharedsock {

/// Who is next among the acceptors of a listener.
enum class turn_order : std::uint8_t {
    first_come,   ///< by turns of `batch` connections
    least_loaded, ///< likewise; and one that has more load (`segment::set_load`, after each connection that begins or ends) than
                  ///< another ends its turn after a connection
};

/// How an acceptor takes its turns.
struct turn_options {
    turn_order order = turn_order::least_loaded;

    /// Connections in a turn. 1 is strict alternation, at the cost of three cheap system calls for each connection; with more
    /// of them that cost vanishes, and shares are even over a few turns. 1 or more.
    std::uint32_t batch = 8;

    /// How long a connection can wait at the most when the process that was woken for it was stopped (SIGSTOP) before it could
    /// accept and no other connection comes. Each acceptor wakes up as often; 0: never, and that connection waits for the next
    /// one, or for the process to go on. A death needs no patrol.
    std::chrono::milliseconds patrol{1'000};
};

/// Accepts from a listener that several processes share, in turn with the others, in any loop on epoll(7).
///
/// The line is the kernel's: each acceptor waits for the listener in its process's own epoll, exclusively (EPOLLEXCLUSIVE), so a
/// connection wakes one process: the first in line that waits. After its batch an acceptor goes to the end of the line, which
/// takes two calls of epoll_ctl(2), wakes nobody, and gives those that are waking up the processor (sched_yield(2)). So
///   - an acceptor that is busy, stopped or dead is passed over: no connection waits while somebody is idle;
///   - connections that come one by one go round, where EPOLLEXCLUSIVE alone gives all of them to one process;
///   - one that is alone, or in its turn, accepts as fast as with a listener of its own: no word in shared memory changes.
///
/// Nobody owns the listener's events meanwhile. An `event_select` or `stand_by` by anybody, through any handle, still wins over
/// everybody: acceptors notice it at their next accept, leave the line and say so (`errc::registration_cancelled`). An accept
/// that is under way at that moment may still take its connection: this is a call made through a handle, not a delivery.
///
/// @par Death and standstill
/// A process that dies between being woken and accepting leaves its connection to the others, which notice the death at once
/// (the alarm). One that is stopped there leaves it to whoever is woken by the next connection, and at the latest to the patrol.
/// @par Safety
/// Threads: one at a time. Processes: safe, whoever dies. fork(2): the child's copy is not in line, and its calls fail with
/// `errc::not_attached`; make one of its own from its listener. Signal handlers: not callable.
class turn_acceptor {
public:
    turn_acceptor() noexcept; ///< accepts from nothing
    /// Takes the handle over. @pre `listener` is open and listens; `options.batch` is not 0.
    explicit turn_acceptor(shared_socket listener, const turn_options& options = {});
    ~turn_acceptor(); ///< leaves the line and closes the handle
    turn_acceptor(turn_acceptor&&) noexcept;
    turn_acceptor& operator=(turn_acceptor&&) noexcept;

    /// Gets in line: puts two descriptors into `epoll`, level-triggered, with what epoll_wait(2) is to report for them.
    /// The listener becomes non-blocking for all handles, as by a registration (REG-12), and so does what is accepted (STATE-13).
    ///
    /// @param epoll  of this process; must stay open until `leave` or the destructor.
    /// @param ready  reported when connections wait: call `accept` or `accept_descriptor` once.
    /// @param alarm  reported seldom: call `look`. It may be the same as `ready`: then look when no connection waited.
    /// @par Errors
    /// `errc::registration_cancelled`: somebody owns the listener's events. Kernel failures of epoll_ctl(2), timerfd_create(2):
    /// not in line.
    void stand_by(int epoll, std::uint64_t ready, std::uint64_t alarm, error_code& ec);
    void stand_by(int epoll, std::uint64_t ready, std::uint64_t alarm); ///< Likewise; throws `system_error`.

    /// Gets out of the line. It may have been woken for connections already: accept until `operation_would_block` if they shall
    /// not wait for the others' next look. Idempotent.
    void leave() noexcept;
    bool stands_by() const noexcept; ///< whether it is in line

    /// Accepts one connection, non-blocking and close-on-exec, that is not shared: the caller's, at the price of accept4(2).
    /// -1 with an error. `shared_socket::adopt` shares it later.
    /// @par Errors
    /// `std::errc::operation_would_block`: none waits. `errc::registration_cancelled`: somebody else owns the listener's events:
    /// out of the line; `stand_by` again when that has ended. `std::errc::too_many_files_open` and whatever else the process has
    /// run out of: out of the line until the next `look`, so that others accept. `std::errc::connection_aborted` and its like:
    /// of that connection alone.
    int accept_descriptor(error_code& ec);
    int accept_descriptor(); ///< Likewise; throws `system_error`.

    /// Likewise, as `shared_socket::accept`: with a slot of its own in the listener's segment.
    shared_socket accept(error_code& ec);
    shared_socket accept(); ///< Likewise; throws `system_error`.

    /// After the alarm: sweeps who died, and looks anew whether connections wait. Never blocks.
    void look(error_code& ec);

    std::size_t others();                           ///< acceptors of other processes that are in line
    const shared_socket& listener() const noexcept; ///< to query; do not close it @pre not default-made or moved from
    std::uint64_t turns() const noexcept;           ///< how often it has gone to the end of the line

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace sharedsock
