// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// What becomes of an I/O object's registration, as its interest tells, and what its operations are told then.
#include "asio/io_object.hpp"
#include "events/local_registration.hpp"

#include <boost/asio/error.hpp>

#include <memory>

namespace sharedsock::detail {

void io_object::schedule_look() noexcept { look_.schedule(descriptor_, shared_from_this()); }

void io_object::became_owner(std::uint32_t epoch)
{
    bool own_call = false;
    {
        const std::scoped_lock lock(mutex_);
        epoch_  = epoch;
        untold_ = false;
        gate_.store(0);
        own_call = registering_;
    }
    if (!own_call) schedule_look(); // else whoever registers looks
}

void io_object::look_again() { schedule_look(); }

void io_object::close_gate(list& waiting, list& turns) noexcept
{
    epoch_ = 0;
    gate_.store(0);
    waiting.swap(waiting_);
    turns.swap(turns_);
}

void io_object::lost()
{
    list waiting;
    list turns; // a turn that came, and was taken away before we looked
    {
        const std::scoped_lock lock(mutex_);
        if (epoch_ != 0) lost_epoch_.store(epoch_); // else it was lost before we heard that it was ours
        epoch_ = 0;
        gate_.store(0);
        untold_ = waiting_.empty() && turns_.empty();
        waiting.swap(waiting_);
        turns.swap(turns_);
    }
    cancel_in_reactor();
    complete_all(waiting, errc::registration_cancelled);
    complete_all(turns, errc::registration_cancelled);
}

void io_object::passed_on()
{
    lost();
    const std::scoped_lock lock(mutex_);
    untold_ = false; // by ourselves
}

void io_object::ended() noexcept
{
    {
        const std::scoped_lock lock(mutex_);
        if (registering_) return;
    }
    if (socket_.impl() == nullptr || !socket_.impl()->closed()) {
        lost(); // another registration through the same handle
        return;
    }
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        close_gate(waiting, turns);
    }
    leave_reactor();
    complete_all(waiting, boost::asio::error::operation_aborted);
    complete_all(turns, boost::asio::error::operation_aborted);
}

void io_object::after_fork_in_child() noexcept
{
    std::construct_at(&reactor_mutex_); // a thread of the parent may have held it
    if (epoch_ != 0) lost_epoch_.store(epoch_);
    untold_ = epoch_ != 0;
    epoch_  = 0;
    gate_.store(0);
    mutex_.unlock();
}

void io_object::abandon_operations() noexcept
{
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        waiting.swap(waiting_);
        turns.swap(turns_);
    }
    cancel_in_reactor();
    complete_all(waiting, errc::registration_cancelled);
    complete_all(turns, errc::registration_cancelled);
}

bool io_object::owns_events() const noexcept
{
    if (slot_ == nullptr || !socket_.is_open()) return false;
    const auto registered = socket_.impl()->current_interest();
    return registered != nullptr && registered->kind() == registration_kind::operations && registered->owns();
}

void io_object::take_over(error_code& ec)
{
    ec.clear();
    if (!socket_.is_open()) ec = errc::closed_handle;
    if (line_) ec = boost::asio::error::operation_not_supported;
    if (ec) return;
    register_or_stand_by(false, ec);
    if (ec) return;
    look();
    const std::scoped_lock lock(mutex_);
    if (gate_.load() == 0) ec = errc::fence_pending;
}

bool io_object::pass_on(error_code& ec) { return socket_.pass_on(ec); }

} // namespace sharedsock::detail
