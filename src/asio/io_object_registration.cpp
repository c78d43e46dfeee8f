// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The changes of an I/O object's registration, which the local registration reports, and how its operations learn of them.
#include "asio/io_object.hpp"
#include "events/local_registration.hpp"

#include <boost/asio/error.hpp>

#include <cstdint>
#include <mutex>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

void io_object::schedule_look() noexcept { look_.schedule(descriptor_, shared_from_this()); }

void io_object::became_owner(std::uint32_t epoch)
{
    bool own_call = false;
    {
        const std::scoped_lock lock(mutex_);
        epoch_  = epoch;
        untold_ = false;
        gate_.store(0);
        valid_epoch_.store(epoch);
        own_call = registering_;
    }
    if (!own_call) schedule_look(); // else the thread that registers looks
}

void io_object::look_again() { schedule_look(); }

void io_object::close_gate(list& waiting, list& turns) noexcept
{
    epoch_ = 0;
    gate_.store(0);
    waiting.swap(waiting_);
    turns.swap(turns_);
}

void io_object::lost() { lose(true); }

void io_object::passed_on() { lose(false); } // by a call on this object

// `told_by_next`: if no pending operation can report the loss, the next operation does.
void io_object::lose(bool told_by_next) noexcept
{
    list waiting;
    list turns; // a turn that came, and was lost before this process looked
    {
        const std::scoped_lock lock(mutex_);
        if (epoch_ != 0) valid_epoch_.store(lost_all); // else it was lost before this object heard that it owned it
        epoch_ = 0;
        gate_.store(0);
        untold_ = told_by_next && waiting_.empty() && turns_.empty();
        waiting.swap(waiting_);
        turns.swap(turns_);
    }
    end_all(waiting, turns);
}

void io_object::end_all(list& waiting, list& turns) noexcept
{
    cancel_in_reactor();
    complete_all(waiting, errc::registration_cancelled);
    complete_all(turns, errc::registration_cancelled);
}

// This object's own call replaces a registration that was lost before, but whose doorbell has not been answered: all operations
// that were pending under the lost one hear of it, but not the operation that this call is made for.
void io_object::tell_unheard_loss() noexcept
{
    const io_operation* beginning = nullptr;
    {
        const std::scoped_lock lock(mutex_);
        if (epoch_ == 0) return;
        valid_epoch_.store(lost_all);
        epoch_ = 0;
        gate_.store(0);
        beginning = beginning_;
    }
    cancel_in_reactor();
    complete_in_lists([](const io_operation& one, const void* but) { return &one != but; }, beginning,
                      errc::registration_cancelled);
}

void io_object::ended() noexcept
{
    bool own_call  = false;
    bool was_owner = false;
    {
        const std::scoped_lock lock(mutex_);
        own_call  = registering_;
        was_owner = epoch_ != 0 || untold_;
    }
    if (own_call) {
        tell_unheard_loss();
        return;
    }
    if (socket_.impl() == nullptr || !socket_.impl()->closed()) {
        lose(was_owner); // the same handle registered anew, or does not stand by any more
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

bool io_object::owns_events() const noexcept
{
    if (slot_ == nullptr || !socket_.is_open()) return false;
    const auto registered = registration_of(*socket_.impl());
    return registered != nullptr && registered->kind() == registration_kind::operations && registered->owns();
}

void io_object::take_over(error_code& ec)
{
    checked(socket_.impl(), ec);
    if (line_) ec = boost::asio::error::operation_not_supported;
    if (ec) return;
    // A loss whose doorbell has not been answered yet is told before the registration is taken back.
    if (const auto registered = registration_of(*socket_.impl())) registered->on_bell();
    register_or_stand_by(false, nullptr, ec);
    look();
    if (ec) return;
    const std::scoped_lock lock(mutex_);
    if (gate_.load() == 0) ec = errc::fence_pending;
}

bool io_object::pass_on(error_code& ec) { return socket_.pass_on(ec); }

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
