// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "asio/readiness.hpp"
#include "asio/service_member.hpp"
#include "base/ranked_mutex.hpp"
#include "events/event_poller.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// The library's part of an execution context: the event poller that hears the doorbells and serves `async_select`, pumped on the
/// context; and a list of all members that are in the context's reactor, for its end and for fork.
///
/// fork(2): the library's hook and Asio's `notify_fork` come in either order; an atfork handler may even call `notify_fork` in the
/// middle of the hook. When both have come, the child abandons all that was pending.
class reactor_service final : public boost::asio::execution_context::service, private fork_aware {
public:
    inline static boost::asio::execution_context::id id;

    explicit reactor_service(boost::asio::execution_context& context);
    ~reactor_service();

    static reactor_service& of(const boost::asio::any_io_executor& executor);

    /// The event poller; the first use begins to pump it. Throws `system_error`.
    const std::shared_ptr<event_poller>& pumped_poller();

    void enlist(service_member& one);
    void dismiss(service_member& one) noexcept;

    /// The process_instance() of the process that Asio's epoll belongs to: the parent's until `notify_fork` has come.
    const std::atomic<std::uint64_t>& epoll_owner() const noexcept { return epoll_owner_; }

private:
    using list = boost::intrusive::list<service_member, boost::intrusive::constant_time_size<false>>;

    void notify_fork(boost::asio::execution_context::fork_event event) override;
    void shutdown() override;
    void before_fork() noexcept override;
    void after_fork_in_parent() noexcept override;
    void let_go_in_child() noexcept override;
    bool after_fork_in_child(graveyard& dead) noexcept override;
    void abandon_all() noexcept; // with mutex_ held

    const std::shared_ptr<event_poller> poller_;
    std::atomic<bool> hook_runs_{false}; // the hook holds mutex_
    bool notified_ = false;              // in a child: Asio has an epoll of its own, since before the hook ended
    std::atomic<std::uint64_t> epoll_owner_{process_instance()};
    ranked_mutex<lock_rank::reactor_service> mutex_; // guards all below
    std::shared_ptr<readiness> pump_;
    bool pump_is_inherited_ = false; // and abandoned: this process makes another when it needs one
    list members_;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
