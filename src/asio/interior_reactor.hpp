// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// Asio's own reactor, as its own sockets use it, through `boost::asio::detail`: the public interface can wait for a descriptor only
// at the price of an epoll_ctl(2) for every wait, and cannot run a call of the library where Asio makes its own. No other file
// depends on Asio's interior. The functions that this one calls are the same in Boost 1.81 to 1.92, and only layouts differ;
// <sharedsock/asio/detail/build.hpp> takes public_reactor for a newer one.
#include "asio/reactor_entry.hpp"
#include "attach/fork_hook.hpp"
#include "base/ranked_mutex.hpp"

#include <sharedsock/asio/detail/build.hpp>
#include <sharedsock/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/execution_context.hpp>

#include <atomic>
#include <cstdint>
#include <optional>

#if !defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR)
namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

using queued_operation  = boost::asio::detail::scheduler_operation;
using reactor_operation = boost::asio::detail::reactor_op;

/// Makes Asio's reactor, unless the context has it: services end in the reverse order of their beginnings.
inline void make_reactor(boost::asio::execution_context& context)
{
    boost::asio::use_service<boost::asio::detail::epoll_reactor>(context);
}
inline void prepare_reactor(const boost::asio::any_io_executor&) {} ///< Asio prepares its own

/// One descriptor in the reactor of an execution context. It has to be removed before the descriptor is closed: the kernel keeps
/// an epoll entry for ever otherwise, while another process has the socket (measured).
///
/// Threads: as an Asio socket. An operation's `perform` runs with the descriptor's mutex held, by one thread at a time.
class reactor_descriptor {
public:
    enum direction {
        read   = boost::asio::detail::epoll_reactor::read_op,
        write  = boost::asio::detail::epoll_reactor::write_op,
        except = boost::asio::detail::epoll_reactor::except_op
    };

    /// `epoll_owner`: the process_instance() of the process that the reactor's epoll belongs to. Elsewhere, in a forked child
    /// that has not called `notify_fork` yet and in one of a raw clone(2), nothing is taken out of that epoll.
    reactor_descriptor(boost::asio::execution_context& context, const std::atomic<std::uint64_t>& epoll_owner);

    void add(int descriptor, error_code& ec);
    /// Adds the descriptor with an operation that stays for good, counts as no work, and whose `perform` is called at every edge.
    /// Even after an error it may have been performed, and be on its way to its completion: an edge of the descriptor that had this
    /// place in the reactor before may still be under way.
    void add_observer(int descriptor, reactor_operation& observer, error_code& ec);
    void remove_observed() noexcept; ///< @pre `is_own`
    bool is_own() const noexcept { return epoll_owner_.load(std::memory_order_relaxed) == process_instance(); }
    /// Has the reactor forget the descriptor, and leaves the epoll alone. Queued operations complete with `operation_aborted`.
    void forsake() noexcept;
    /// Takes the descriptor out; pending operations complete with `operation_aborted`.
    void remove() noexcept;
    bool added() const noexcept { return state_ != nullptr; }
    std::optional<reactor_entry> take_entry() { return take_reactor_entry(descriptor_); } ///< for an entry of an accept queue

    /// `speculative`: tries at once. Else waits until the reactor shows the descriptor ready, perhaps at once.
    void start(reactor_operation& operation, direction which, bool is_continuation, bool speculative)
    {
        lock_ranks::about_to_take(lock_rank::asio_descriptor);
        reactor_.start_op(which, descriptor_, state_, &operation, is_continuation, speculative);
    }
    void cancel() noexcept; ///< all operations, with `operation_aborted`
    void cancel(direction which, const void* key) noexcept;

    /// Completes an operation that is not in the reactor, through the context.
    void complete(reactor_operation& operation, bool is_continuation);
    /// Work of the context for an operation that waits elsewhere.
    void begin_work() noexcept { scheduler_.work_started(); }
    void end_work() noexcept { scheduler_.work_finished(); }

private:
    boost::asio::detail::epoll_reactor& reactor_;
    boost::asio::detail::scheduler& scheduler_;
    const std::atomic<std::uint64_t>& epoll_owner_;
    boost::asio::detail::epoll_reactor::per_descriptor_data state_ = nullptr;
    int descriptor_                                                = -1;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
#endif
