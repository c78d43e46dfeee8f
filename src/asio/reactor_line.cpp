// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor_line.hpp"

#include "socket/accepted.hpp"

#include <mutex>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

void reactor_line::begin(handle& through, reactor_descriptor& listener, error_code& ec)
{
    ec.clear();
    {
        const std::scoped_lock lock(mutex_);
        if (!std::exchange(looked_for_entry_, true)) entry_ = listener.take_entry();
        if (!entry_ || turns_.stands_by()) {
            ++waiting_;
            return;
        }
    }
    membership* const self = turns_.member(through, ec); // without the mutex: the call may have to tell registrations of their loss
    if (self == nullptr) return;
    const std::scoped_lock lock(mutex_);
    if (!turns_.stands_by()) turns_.stand_by(through, *self, entry_->epoll, entry_->data, entry_->data, ec);
    if (!ec) ++waiting_;
}

void reactor_line::end(handle& through) noexcept
{
    const std::scoped_lock lock(mutex_);
    if (--waiting_ == 0) turns_.leave(through, through.where().member());
}

void reactor_line::leave(handle& through) noexcept
{
    const std::scoped_lock lock(mutex_);
    turns_.leave(through, through.where().member());
}

bool reactor_line::is_reported() noexcept
{
    const std::scoped_lock lock(mutex_);
    return turns_.is_reported();
}

void reactor_line::after_fork_in_child() noexcept
{
    turns_.begin_anew();
    entry_.reset();
    looked_for_entry_ = false;
    waiting_          = 0; // the waiting operations are the parent's
    mutex_.unlock();
}

std::shared_ptr<handle> reactor_line::accept(handle& through, bool woken, error_code& ec)
{
    const std::scoped_lock lock(mutex_);
    membership* const self = through.where().member(); // without the check of this process's identity: a reactor's lock is held
    if (self == nullptr || through.closed()) {
        ec = through.why_closed();
        return nullptr;
    }
    unique_fd connection = turns_.accept(through, *self, ec);
    if (connection) return share_accepted(through, *self, std::move(connection), ec);
    if (woken && ec == boost::system::errc::operation_would_block) {
        error_code out_of_line; // the patrol tries again
        turns_.look(through, *self, out_of_line);
    }
    return nullptr;
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
