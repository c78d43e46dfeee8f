// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor_service.hpp"

#include "events/local_registration.hpp"

#include <mutex>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

namespace asio = boost::asio;

// The reactor is made first, and so ends after this service, which can still take its members' entries out.
reactor_service::reactor_service(asio::execution_context& context)
    : service((make_reactor(context), context)), poller_(std::make_shared<event_poller>())
{
    join_fork_registry(reactor_service_locks);
}

reactor_service::~reactor_service() { leave_fork_registry(); }

reactor_service& reactor_service::of(const asio::any_io_executor& executor)
{
    prepare_reactor(executor);
    return asio::use_service<reactor_service>(asio::query(executor, asio::execution::context));
}

const std::shared_ptr<event_poller>& reactor_service::pumped_poller()
{
    {
        const std::scoped_lock lock(mutex_);
        if (pump_ != nullptr && !pump_is_inherited_) return poller_;
    }
    auto pump = std::make_shared<readiness>(
        *this, [poller = poller_] { throw_if(poller->pump(), "sharedsock: watching on an executor"); }); // enlists itself
    const std::scoped_lock lock(mutex_);
    if (pump_ != nullptr && !pump_is_inherited_) return poller_; // another thread was faster
    error_code ec;
    pump->start(poller_->native_handle(), false, ec);
    throw_if(ec, "sharedsock: watching on an executor");
    pump_.swap(pump); // the former one ends after the mutex is released
    pump_is_inherited_ = false;
    return poller_;
}

void reactor_service::enlist(service_member& one)
{
    const std::scoped_lock lock(mutex_);
    members_.push_back(one);
    one.enlisted_ = true;
}

void reactor_service::dismiss(service_member& one) noexcept
{
    if (!one.enlisted_) return;          // the context has ended, and perhaps this service with it
    if (process_instance() == 0) return; // a child of a raw clone(2): a thread of the parent may have held the mutex
    const std::scoped_lock lock(mutex_);
    one.unlink();
}

// --- fork -------------------------------------------------------------------------------------------------------------

void reactor_service::before_fork() noexcept
{
    mutex_.lock();
    for (service_member& one : members_)
        one.before_fork();
    hook_runs_.store(true);
}

void reactor_service::after_fork_in_parent() noexcept
{
    hook_runs_.store(false);
    for (service_member& one : members_)
        one.after_fork_in_parent();
    mutex_.unlock();
}

void reactor_service::let_go_in_child() noexcept
{
    for (service_member& one : members_)
        one.after_fork_in_child();
    if (notified_) abandon_all(); // now: event pollers and attachments are about to replace descriptors that Asio has
}

bool reactor_service::after_fork_in_child(graveyard&) noexcept
{
    hook_runs_.store(false);
    notified_ = false;
    mutex_.unlock();
    return true;
}

// Asio asks a forked child to call io_context::notify_fork, and has a new epoll by now. The members in it are the parent's.
void reactor_service::notify_fork(asio::execution_context::fork_event event)
{
    if (event != asio::execution_context::fork_child) return;
    if (hook_runs_.load()) { // called by an atfork handler in the middle of the hook, which holds the mutex
        notified_ = true;
        return;
    }
    const std::scoped_lock lock(mutex_);
    abandon_all();
}

void reactor_service::abandon_all() noexcept
{
    epoll_owner_.store(process_instance());
    pump_is_inherited_ = true;
    for (service_member& one : members_)
        one.abandon();
}

// --- the end ----------------------------------------------------------------------------------------------------------

void reactor_service::shutdown()
{
    for (const auto& one : poller_->registrations())
        one->cancel_for_good(); // no thread would look again
    std::shared_ptr<readiness> pump;
    list members;
    {
        const std::scoped_lock lock(mutex_);
        pump.swap(pump_);
        members.swap(members_);
        for (service_member& one : members)
            one.enlisted_ = false;
    }
    while (!members.empty()) {
        service_member& one = members.front();
        members.pop_front();
        one.shut_down();
    }
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
