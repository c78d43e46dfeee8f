// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor_service.hpp"

#include "asio/io_object.hpp"
#include "events/local_registration.hpp"

#include <boost/asio/detail/epoll_reactor.hpp>

namespace sharedsock::detail {

namespace asio = boost::asio;

// Asio's reactor is made first, and so ends after this: what is registered there can still be taken out.
reactor_service::reactor_service(asio::execution_context& context)
    : service((asio::use_service<asio::detail::epoll_reactor>(context), context)), watcher_(std::make_shared<watcher>())
{
    join_fork_registry(reactor_service_locks);
}

reactor_service::~reactor_service() { leave_fork_registry(); }

reactor_service& reactor_service::of(const asio::any_io_executor& executor)
{
    return asio::use_service<reactor_service>(asio::query(executor, asio::execution::context));
}

const std::shared_ptr<watcher>& reactor_service::pumped_watcher()
{
    const std::scoped_lock lock(mutex_);
    if (pump_ == nullptr) {
        auto pump = std::make_shared<readiness>(context(), [watcher = watcher_] { watcher->pump(); });
        error_code ec;
        pump->start(watcher_->native_handle(), false, ec);
        throw_if(ec, "sharedsock: watching on an executor");
        pump_ = std::move(pump);
    }
    return watcher_;
}

std::shared_ptr<readiness> reactor_service::make_readiness(std::function<void()> edge)
{
    auto made = std::make_shared<readiness>(context(), std::move(edge));
    const std::scoped_lock lock(mutex_);
    if (watched_.size() == watched_.capacity()) std::erase_if(watched_, [](const auto& one) { return one.expired(); });
    watched_.push_back(made);
    return made;
}

void reactor_service::enlist(io_object& one)
{
    const std::scoped_lock lock(mutex_);
    objects_.push_back(one);
}

void reactor_service::dismiss(io_object& one) noexcept
{
    const std::scoped_lock lock(mutex_);
    objects_.erase(objects_.iterator_to(one));
}

std::vector<std::shared_ptr<io_object>> reactor_service::living()
{
    std::vector<std::shared_ptr<io_object>> result;
    const std::scoped_lock lock(mutex_);
    for (service_member& one : objects_)
        if (auto alive = static_cast<io_object&>(one).weak_from_this().lock()) result.push_back(std::move(alive));
    return result;
}

// --- fork -------------------------------------------------------------------------------------------------------------

void reactor_service::before_fork()
{
    mutex_.lock();
    for (service_member& one : objects_)
        static_cast<io_object&>(one).before_fork();
    for (const auto& one : watched_) // the child forgets its registrations, but these are in the reactor's queues
        if (auto alive = one.lock()) inherited_.push_back(std::move(alive));
}

void reactor_service::after_fork_in_parent()
{
    for (service_member& one : objects_)
        static_cast<io_object&>(one).after_fork_in_parent();
    inherited_.clear();
    mutex_.unlock();
}

void reactor_service::after_fork_in_child() noexcept
{
    for (service_member& one : objects_)
        static_cast<io_object&>(one).after_fork_in_child();
    mutex_.unlock();
}

// Asio asks a forked child to call io_context::notify_fork, and has a new epoll by now. Its registrations are its parent's.
void reactor_service::notify_fork(asio::execution_context::fork_event event)
{
    if (event != asio::execution_context::fork_child) return;
    {
        const std::scoped_lock lock(mutex_);
        if (pump_ != nullptr) inherited_.push_back(std::move(pump_));
        for (const auto& one : inherited_)
            one->stop();
        inherited_.clear();
    }
    for (const auto& one : living())
        one->abandon_operations();
}

// --- the end ----------------------------------------------------------------------------------------------------------

void reactor_service::shutdown()
{
    for (const auto& one : watcher_->interests())
        one->cancel_for_good(); // nobody would ever look again
    const auto objects = living();
    {
        const std::scoped_lock lock(mutex_);
        objects_.clear();
        if (pump_ != nullptr) pump_->stop();
        pump_.reset();
    }
    for (const auto& one : objects)
        one->shut_down();
}

} // namespace sharedsock::detail
