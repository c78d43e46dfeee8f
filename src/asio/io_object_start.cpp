// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The start of an I/O object's operation: at once if the gate is open, else by registering, by standing by, or in the accept queue.
#include "asio/io_object.hpp"
#include "events/local_registration.hpp"
#include "events/registering.hpp"

#include <boost/asio/error.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

bool waits_only(const io_operation& operation) noexcept
{
    return operation.what == io_operation::kind::wait_read || operation.what == io_operation::kind::wait_write ||
           operation.what == io_operation::kind::wait_error;
}

} // namespace

bool io_object::gate_stands() const noexcept
{
    const std::uint64_t idle = gate_.load(std::memory_order_acquire);
    return idle != 0 && (slot_->registration.load(std::memory_order_acquire) & ~registration_word::delivering_field) == idle;
}

void io_object::start(io_operation& operation) noexcept
{
    operation.object_ = shared_from_this();
    operation.forks_  = forks_;
    pending_operation::make(operation);
    const bool is_call = operation.what != io_operation::kind::turn && !waits_only(operation);
    if (is_call && !line_ && descriptor_.added() && gate_stands()) [[likely]]
        start_in_reactor(operation);
    else
        start_otherwise(operation);
}

void io_object::start_otherwise(io_operation& operation) noexcept
{
    if (!descriptor_.added())
        complete(operation, errc::closed_handle);
    else if (line_)
        start_in_line(operation);
    else if (operation.what == io_operation::kind::turn || !gate_stands())
        start_by_registering(operation);
    else if (waits_only(operation))
        start_beside_user(operation);
    else
        start_in_reactor(operation);
}

void io_object::start_in_reactor(io_operation& operation) noexcept
{
    operation.epoch_ = registration_word::decode(gate_.load(std::memory_order_relaxed)).epoch;
    descriptor_.start(pending_operation::of(operation), pending_operation::direction_of(operation), operation.is_continuation,
                      !waits_only(operation));
}

// Another thread may lose the registration or close meanwhile.
void io_object::start_beside_user(io_operation& operation) noexcept
{
    const std::scoped_lock lock(reactor_mutex_);
    if (!descriptor_.added()) {
        complete(operation, boost::asio::error::operation_aborted);
    } else if (gate_.load() == 0) {
        tell_loss(operation);
        complete(operation, operation.ec);
    } else {
        start_in_reactor(operation);
    }
}

void io_object::start_in_line(io_operation& operation) noexcept
{
    const bool accepts = operation.what == io_operation::kind::accept;
    error_code ec;
    if (!accepts && operation.what != io_operation::kind::wait_read)
        ec = boost::asio::error::operation_not_supported;
    else if (handle* const through = opened(socket_.impl(), ec))
        line_->begin(*through, descriptor_, ec);
    if (ec) {
        complete(operation, ec);
        return;
    }
    operation.in_line_ = true;
    descriptor_.start(pending_operation::of(operation), reactor_descriptor::read, operation.is_continuation, true);
}

void io_object::start_by_registering(io_operation& operation) noexcept
{
    const bool in_line = operation.what == io_operation::kind::turn;
    bool listed        = false;
    error_code ec;
    try {
        // A loss whose doorbell has not been answered yet is told before the registration is taken back.
        if (const auto registered = registration_of(*socket_.impl())) registered->on_bell();
        {
            const std::scoped_lock lock(mutex_);
            if (std::exchange(untold_, false) && !in_line)
                ec = errc::registration_cancelled;
            else
                (in_line ? turns_ : waiting_).push_back(&operation);
        }
        if (ec) {
            complete(operation, ec);
            return;
        }
        listed = true;
        descriptor_.begin_work();
        register_or_stand_by(in_line, &operation, ec);
    } catch (const std::bad_alloc&) {
        ec = make_error_code(boost::system::errc::not_enough_memory);
    }
    look(); // after a failure too: a turn may have come meanwhile
    if (!ec) return;
    if (!listed) {
        complete(operation, ec);
        return;
    }
    bool ours = false;
    {
        const std::scoped_lock lock(mutex_);
        ours = std::erase(in_line ? turns_ : waiting_, &operation) != 0;
    }
    if (!ours) return;
    complete(operation, ec);
    descriptor_.end_work();
}

// Registers for `beginning`, which may have completed and be gone; null: for `take_over`.
void io_object::register_or_stand_by(bool in_line, const io_operation* beginning, error_code& ec)
{
    if (opened(socket_.impl(), ec) == nullptr) return;
    handle& through   = *socket_.impl();
    const auto before = registration_of(through);
    const bool ours   = before != nullptr && before->kind() == registration_kind::operations;
    if (ours && before->owns()) return;
    if (ours && in_line && before->state() == local_registration::phase::standing_by) return;
    {
        const std::scoped_lock lock(mutex_);
        registering_ = true;
        beginning_   = beginning;
    }
    const std::uint32_t mask = role_ == io_role::listener ? std::uint32_t{ev_accept} : std::uint32_t{ev_read} | ev_write;
    event_sink sink{{}, weak_from_this(), registration_kind::operations};
    const struct own_call {
        io_object& self;
        ~own_call()
        {
            const std::scoped_lock lock(self.mutex_);
            self.registering_ = false;
            self.beginning_   = nullptr;
        }
    } until_return{*this};
    try {
        const auto& where = service_.pumped_poller();
        if (in_line)
            stand_by(through, mask, {}, where, std::move(sink), ec);
        else
            select(through, mask, {}, where, std::move(sink), ec);
    } catch (const system_error& failed) { // from the event poller
        ec = failed.code();
    }
}

void io_object::look() noexcept
{
    list ready;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        if (epoch_ == 0 || slot_ == nullptr) return;
        const registration_word word = load(slot_->registration);
        if (word.epoch != epoch_ || !word.owned()) return; // the doorbell will tell
        turns.swap(turns_);
        if (gate_.load() == 0 && word.delivering == no_index) { // else the deliverer, or its sweep, rings at the end
            registration_word busy = word;
            busy.delivering        = word.owner;
            busy_.store(busy.encode());
            gate_.store(word.encode());
        }
        if (gate_.load() != 0) ready.swap(waiting_);
    }
    complete_all(turns, {});
    for (io_operation* const one : ready) {
        start_beside_user(*one);
        descriptor_.end_work();
    }
}

void start(io_object& object, io_operation& operation) noexcept { object.start(operation); }

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
