// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// A reactor on Asio's public interface: an epoll of the library's own, which the context waits for through a posix descriptor,
// whatever its own reactor is. It costs an epoll_ctl(2) and an epoll_wait(2) more for each wake-up than interior_reactor, and
// because no thread waits in it directly, EPOLLEXCLUSIVE has no effect: processes that accept in turn are all woken for a
// connection.
#include "asio/reactor_entry.hpp"
#include "asio/reactor_queue.hpp"
#include "attach/fork_hook.hpp"
#include "base/ranked_mutex.hpp"
#include "base/unique_fd.hpp"

#include <sharedsock/asio/detail/build.hpp>
#include <sharedsock/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#if defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR)
namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// An executor without the property `outstanding_work`: a wait on it counts as work once, however Asio makes it.
class quiet_executor {
public:
    // A template, so that no compiler asks whether an any_io_executor can be made of this class while it looks for a copy.
    template <std::same_as<boost::asio::any_io_executor> Inner>
    explicit quiet_executor(Inner inner) : inner_(std::move(inner))
    {}

    boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept
    {
        return boost::asio::query(inner_, boost::asio::execution::context);
    }
    template <class Function>
    void execute(Function&& function) const
    {
        inner_.execute(std::forward<Function>(function));
    }
    friend bool operator==(const quiet_executor&, const quiet_executor&) = default;

private:
    boost::asio::any_io_executor inner_;
};

/// The reactor of one execution context. It waits for its epoll as long as the context exists. On an `io_context` and a
/// `thread_pool` that wait is no work (ASYNC-7): it is taken off the context's count while it waits. Other executors that wrap one
/// of theirs do not say so, and there the wait counts as work.
///
/// Threads: safe, as far as the context is. fork(2): `notify_fork(fork_child)` gives the child an epoll of its own with all
/// descriptors in it; until then they are the parent's.
class public_reactor final : public boost::asio::execution_context::service {
public:
    inline static boost::asio::execution_context::id id;
    using entry = std::shared_ptr<reactor_queue>;

    explicit public_reactor(boost::asio::execution_context& context) : service(context) {}

    /// Begins to wait, through the context of `executor`, which is this service's; once. Throws `system_error`.
    void begin(const boost::asio::any_io_executor& executor);

    /// Adds a descriptor. `observer`: stays in its queue for reading, and counts as no work.
    entry add(int descriptor, reactor_operation* observer, error_code& ec);
    /// Asks the kernel to show the descriptor's present readiness once more.
    void show_again(const reactor_queue& one) noexcept;
    /// Takes it out of the epoll, and tells how another entry gets its place.
    std::optional<reactor_entry> take_out(const reactor_queue& one) noexcept;
    /// Nothing is shown of it any more. `in_epoll`: takes it out of the epoll, too.
    void forget(const reactor_queue& one, bool in_epoll) noexcept;

    void complete(queued_operation& one) noexcept;             ///< through the context, never inside this call
    void complete_queued(reactor_queue::list& those) noexcept; ///< their work was counted when they were queued
    void begin_work() noexcept;
    void end_work() noexcept;

private:
    using quiet_wait = boost::asio::posix::basic_stream_descriptor<quiet_executor>;

    void notify_fork(boost::asio::execution_context::fork_event event) override;
    void shutdown() override;
    void make_epoll(); // throws system_error
    bool counts() const noexcept { return counted_.index() != 0; }
    void wait(); // throws what `async_wait` throws: std::bad_alloc
    void woken(const error_code& ec, std::uint32_t life);
    void take_ready(reactor_queue::list& done);
    void run_overdue();

    static constexpr std::uint64_t bell_id = 0;

    ranked_mutex<lock_rank::public_reactor> mutex_; // guards all below but `waits_`; no code of the user runs under it
    boost::asio::any_io_executor executor_;
    std::variant<std::monostate, boost::asio::io_context::executor_type, boost::asio::thread_pool::executor_type>
        counted_;                    // its work
    std::optional<quiet_wait> wait_; // of a duplicate of `epoll_`
    unique_fd epoll_;
    unique_fd bell_; // readable while operations are overdue
    std::map<std::uint64_t, entry> entries_;
    std::uint64_t made_in_ = 0; // the process_instance() of the process that has made the epoll
    std::uint64_t last_id_ = bell_id;
    std::uint32_t life_    = 0;   // of the epoll: one more in each forked child
    reactor_queue::list overdue_; // completed operations that could not be posted for want of memory
    std::atomic<bool> waits_{false};
};

inline void make_reactor(boost::asio::execution_context& context) { boost::asio::use_service<public_reactor>(context); }
void prepare_reactor(const boost::asio::any_io_executor& executor);

/// One descriptor in the reactor of an execution context; see interior_reactor.hpp, whose interface it has.
class reactor_descriptor {
public:
    using direction              = reactor_queue::direction;
    static constexpr auto read   = direction::read;
    static constexpr auto write  = direction::write;
    static constexpr auto except = direction::except;

    reactor_descriptor(boost::asio::execution_context& context, const std::atomic<std::uint64_t>& epoll_owner)
        : reactor_(boost::asio::use_service<public_reactor>(context)), epoll_owner_(epoll_owner)
    {}

    void add(int descriptor, error_code& ec) { entry_ = reactor_.add(descriptor, nullptr, ec); }
    void add_observer(int descriptor, reactor_operation& observer, error_code& ec)
    {
        entry_ = reactor_.add(descriptor, &observer, ec);
    }
    void remove_observed() noexcept;
    bool is_own() const noexcept { return epoll_owner_.load(std::memory_order_relaxed) == process_instance(); }
    void forsake() noexcept;
    void remove() noexcept;
    bool added() const noexcept { return entry_ != nullptr; }
    std::optional<reactor_entry> take_entry() noexcept { return reactor_.take_out(*entry_); }

    void start(reactor_operation& operation, direction which, bool is_continuation, bool speculative);
    void cancel() noexcept;
    void cancel(direction which, const void* key) noexcept;

    void complete(reactor_operation& operation, bool) { reactor_.complete(operation); }
    void begin_work() noexcept { reactor_.begin_work(); }
    void end_work() noexcept { reactor_.end_work(); }

private:
    void end_entry(bool in_epoll) noexcept;

    public_reactor& reactor_;
    const std::atomic<std::uint64_t>& epoll_owner_;
    public_reactor::entry entry_;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
#endif
