// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/readiness.hpp"

#include "asio/reactor_service.hpp"

#include <cstddef>
#include <mutex>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

readiness::readiness(reactor_service& service, std::function<void()> ready)
    : service_(service), ready_(std::move(ready)), entry_(service.context(), service.epoll_owner())
{
    service_.enlist(*this);
}

readiness::~readiness() { service_.dismiss(*this); }

void readiness::start(int descriptor, bool writing, error_code& ec)
{
    const std::scoped_lock lock(mutex_);
    entry_.add_observer(descriptor, reading_, ec);
    reading_.begun_ = !ec;
    stopped_        = bool(ec); // set at once: an operation on its way must not come back
    if (ec || !writing) return;
    // The first look is as if an edge had come. A job of the context queues it: when the scheduler counts the work of a queued
    // operation down, it must not find that it was the last.
    writing_.alive_ = shared_from_this();
    writing_.begun_ = true;
    entry_.complete(writing_, true);
}

void readiness::start(unique_fd&& descriptor, bool writing, error_code& ec)
{
    duplicate_ = std::move(descriptor);
    start(duplicate_.get(), writing, ec);
}

void readiness::stop() noexcept
{
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    if (entry_.is_own()) {
        entry_.remove_observed();
    } else { // a forked child: it cannot take the operations out of the reactor's queue, so they complete
        for (observer* const one : {&reading_, &writing_}) {
            if (!one->begun_ || one->alive_ != nullptr) continue; // on its way from the queue already
            one->alive_ = shared_from_this();
            entry_.begin_work();
        }
        entry_.forsake();
    }
    duplicate_.reset();
}

bool readiness::queue(observer& one)
{
    const std::scoped_lock lock(mutex_);
    if (stopped_) return false;
    one.queueing_ = true;
    entry_.start(one, one.which_, true, true);
    one.queueing_ = false;
    entry_.end_work();
    return true;
}

reactor_operation::status readiness::observer::perform_one(reactor_operation* one)
{
    const lock_ranks::under asio_lock(lock_rank::asio_descriptor);
    auto& self = *static_cast<observer*>(one);
    if (self.queueing_) return not_done;
    self.alive_ = self.of_.shared_from_this();
    self.of_.entry_.begin_work(); // the scheduler takes it off when the operation has completed
    return done;
}

void readiness::observer::conclude_one(void* context, queued_operation* one, const error_code&, std::size_t)
{
    auto& self                             = *static_cast<observer*>(static_cast<reactor_operation*>(one));
    const std::shared_ptr<readiness> alive = std::move(self.alive_);
    if (context == nullptr || !alive->queue(self)) return;
    lock_ranks::expect_none("a watched descriptor is reported");
    alive->ready_();
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
