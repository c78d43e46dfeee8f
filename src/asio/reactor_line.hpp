// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/turn_taking.hpp"
#include "asio/reactor.hpp"
#include "base/ranked_mutex.hpp"

#include <sharedsock/asio/detail/build.hpp>

#include <cstddef>
#include <memory>
#include <optional>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// An acceptor's place in the accept queue in the reactor, for as long as operations wait there: the reactor's entry for the
/// listener is level-triggered then, and epoll would report it for ever if no operation accepts.
///
/// If that entry cannot be found (no /proc), the listener stays in the reactor as Asio put it: the kernel wakes all waiting
/// processes for each connection, and one accepts it.
class reactor_line {
public:
    reactor_line(const turn_options& options, process_id self) : turns_(options, self) {}

    /// One more operation waits. `errc::registration_cancelled`: a process owns the listener's events.
    void begin(handle& through, reactor_descriptor& listener, error_code& ec);
    void end(handle& through) noexcept;   ///< one operation less waits
    void leave(handle& through) noexcept; ///< leaves for good: the listener closes

    /// Whether epoll reports every waiting connection to the reactor for as long as it waits: then an operation need not try first.
    bool is_reported() noexcept;

    /// Accepts. `woken`: if no connection waits, looks for the reason; false for an operation that tries before it waits.
    std::shared_ptr<handle> accept(handle& through, bool woken, error_code& ec);

    // Around fork(2): the child enters the accept queue, with its own epoll, at its first operation.
    void before_fork() noexcept
    {
        mutex_.lock();
        turns_.before_fork();
    }
    void after_fork_in_parent() noexcept { mutex_.unlock(); }
    void after_fork_in_child() noexcept;

private:
    ranked_mutex<lock_rank::reactor_accept_queue> mutex_;
    turn_taking turns_;
    std::optional<reactor_entry> entry_;
    bool looked_for_entry_ = false;
    std::size_t waiting_   = 0;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
