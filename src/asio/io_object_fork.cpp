// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An I/O object at fork(2): the child gets the socket, on its executor; the parent keeps everything that was pending.
#include "asio/io_object.hpp"

#include <memory>
#include <mutex>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

void io_object::before_fork() noexcept
{
    mutex_.lock();
    if (line_) line_->before_fork();
}

void io_object::after_fork_in_parent() noexcept
{
    if (line_) line_->after_fork_in_parent();
    mutex_.unlock();
}

void io_object::after_fork_in_child() noexcept
{
    std::construct_at(&reactor_mutex_); // a thread of the parent may have held it
    ++forks_;
    if (epoch_ != 0) valid_epoch_.store(lost_all);
    untold_ = epoch_ != 0;
    epoch_  = 0;
    gate_.store(0);
    registering_ = false; // the thread that registered is not in the child
    beginning_   = nullptr;
    if (line_) line_->after_fork_in_child();
    mutex_.unlock();
}

void io_object::abandon() noexcept
{
    cancel_in_reactor();
    complete_in_lists([](const io_operation&, const void*) { return true; }, nullptr, errc::registration_cancelled);
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
