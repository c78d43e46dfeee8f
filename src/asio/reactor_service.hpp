// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "asio/readiness.hpp"
#include "base/ranked_mutex.hpp"
#include "events/event_poller.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>

#include <memory>
#include <vector>

namespace sharedsock::detail {

class io_object;

/// The place of an I/O object in its service's list.
using service_member = boost::intrusive::list_base_hook<>;

/// What the library keeps for each execution context: the watcher that hears the bells and serves `async_select`, pumped on the
/// context; and the I/O objects on it, for its end and for fork.
class reactor_service final : public boost::asio::execution_context::service, private fork_aware {
public:
    inline static boost::asio::execution_context::id id;

    explicit reactor_service(boost::asio::execution_context& context);
    ~reactor_service();

    static reactor_service& of(const boost::asio::any_io_executor& executor);

    /// The watcher; begins to pump it with the first use. Throws `system_error`.
    const std::shared_ptr<watcher>& pumped_watcher();
    /// Of a socket's descriptor, for `async_select`.
    std::shared_ptr<readiness> make_readiness(std::function<void()> edge);

    void enlist(io_object& one);
    void dismiss(io_object& one) noexcept;

private:
    void notify_fork(boost::asio::execution_context::fork_event event) override;
    void shutdown() override;
    void before_fork() override;
    void after_fork_in_parent() override;
    void after_fork_in_child() noexcept override;
    std::vector<std::shared_ptr<io_object>> living();

    const std::shared_ptr<watcher> watcher_;
    ranked_mutex<lock_rank::reactor_service> mutex_; // guards all below
    std::shared_ptr<readiness> pump_;
    std::vector<std::weak_ptr<readiness>> watched_;
    std::vector<std::shared_ptr<readiness>> inherited_; // in a forked child: the parent's, until Asio has an epoll of its own
    boost::intrusive::list<service_member> objects_;    // all are io_objects
};

} // namespace sharedsock::detail
