// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/io_object.hpp"

#include "events/local_registration.hpp"

#include <boost/asio/error.hpp>

#include <cerrno>
#include <cstddef>
#include <mutex>
#include <utility>

#include <sys/uio.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

error_code aborted() noexcept { return boost::asio::error::operation_aborted; }

} // namespace

io_object::io_object(io_role role, const boost::asio::any_io_executor& executor, const turn_options* in_turn)
    : role_(role),
      service_(reactor_service::of(executor)),
      descriptor_(service_.context(), service_.epoll_owner()),
      turn_options_(in_turn != nullptr ? std::optional(*in_turn) : std::nullopt),
      look_([](void* self) { static_cast<io_object*>(self)->look(); }, this)
{
    service_.enlist(*this);
}

io_object::~io_object()
{
    service_.dismiss(*this);
    descriptor_.remove(); // the entry of a socket that a fork, or code that closed a lock file, has closed
}

void io_object::assign(shared_socket& socket, error_code& ec)
{
    ec.clear();
    if (!socket.is_open()) return;
    const auto enter_reactor = [&] {
        const std::scoped_lock reactor_lock(reactor_mutex_);
        const std::scoped_lock lock(mutex_);
        descriptor_.add(socket.native_handle(), ec);
    };
    enter_reactor();
    // A registration of `async_select` has the descriptor; it goes on until an operation takes its place.
    if (const auto registered = registration_of(*socket.impl()); ec.value() == EEXIST && registered != nullptr) {
        registered->on_bell(); // a lost registration leaves the reactor here
        registered->make_way(ec);
        if (!ec) enter_reactor();
    }
    if (ec) return;
    const std::scoped_lock reactor_lock(reactor_mutex_);
    const std::scoped_lock lock(mutex_);
    socket_ = std::move(socket);
    slot_   = &socket_.impl()->slot();
    if (turn_options_) line_.emplace(*turn_options_, socket_.where().self());
}

// --- completing -------------------------------------------------------------------------------------------------------

void io_object::tell_reason(io_operation& operation, const error_code& from_reactor) noexcept
{
    if (inherited(operation)) { // whether or not it was done in the parent before the fork
        tell_loss(operation);
        operation.bytes = 0;
        operation.accepted.reset();
        return;
    }
    operation.ec = from_reactor;
    if (from_reactor == aborted() && has_lost(operation)) tell_loss(operation);
}

void io_object::tell_loss(io_operation& operation) noexcept
{
    operation.ec = errc::registration_cancelled;
    const std::scoped_lock lock(mutex_);
    untold_ = false;
}

void io_object::after_handler() noexcept
{
    std::shared_ptr<handle> through;
    {
        const std::scoped_lock lock(mutex_); // the handler may run elsewhere, in a strand, and close
        if (line_) through = socket_.impl();
    }
    if (through != nullptr) line_->end(*through);
}

void io_object::complete(io_operation& operation, const error_code& ec) noexcept
{
    operation.ec = ec;
    descriptor_.complete(pending_operation::of(operation), operation.is_continuation);
}

void io_object::complete_all(list& operations, const error_code& ec) noexcept
{
    for (io_operation* const one : operations) {
        complete(*one, ec);
        descriptor_.end_work();
    }
    operations.clear();
}

void io_object::cancel_all() noexcept
{
    descriptor_.cancel();
    complete_in_lists([](const io_operation&, const void*) { return true; }, nullptr, aborted());
}

void io_object::cancel_one(const void* key) noexcept
{
    for (const auto which : {reactor_descriptor::read, reactor_descriptor::write, reactor_descriptor::except})
        descriptor_.cancel(which, key);
    complete_in_lists([](const io_operation& one, const void* wanted) { return one.key == wanted; }, key, aborted());
}

void io_object::cancel_in_reactor() noexcept
{
    const std::scoped_lock lock(reactor_mutex_);
    descriptor_.cancel();
}

void io_object::leave_reactor() noexcept
{
    const std::scoped_lock lock(reactor_mutex_);
    descriptor_.remove();
}

void io_object::complete_in_lists(choice* which, const void* about, const error_code& ec) noexcept
{
    const auto take = [&]() -> io_operation* {
        const std::scoped_lock lock(mutex_);
        for (list* const from : {&waiting_, &turns_})
            for (auto one = from->begin(); one != from->end(); ++one) {
                if (!which(**one, about)) continue;
                io_operation* const found = *one;
                from->erase(one);
                return found;
            }
        return nullptr;
    };
    while (io_operation* const one = take()) {
        complete(*one, ec);
        descriptor_.end_work();
    }
}

// --- the end ----------------------------------------------------------------------------------------------------------

shared_socket io_object::release() noexcept
{
    if (process_instance() == 0) return std::move(socket_); // a child of a raw clone(2): all but the socket is its parent's
    if (!socket_.is_open()) return {};
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        close_gate(waiting, turns);
        untold_      = false;
        registering_ = true; // a registration that ends now ends by this object's own call
    }
    handle& through = *socket_.impl();
    if (line_) line_->leave(through);
    leave_reactor();
    complete_all(waiting, aborted());
    complete_all(turns, aborted());
    if (const auto registered = registration_of(through);
        registered != nullptr && registered->kind() == registration_kind::operations) {
        registered->cancel_for_good();
        through.set_registration(nullptr);
    }
    const std::scoped_lock lock(mutex_);
    registering_ = false;
    slot_        = nullptr;
    return std::move(socket_);
}

void io_object::close(error_code& ec)
{
    ec.clear();
    shared_socket closing = release();
    if (!closing.is_open()) return;
    closing.close(ec);
    error_code failed;
    if (closing.is_open()) assign(closing, failed); // ERR-4: the socket stays valid
}

void io_object::shut_down() noexcept
{
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        close_gate(waiting, turns);
    }
    if (line_ && socket_.impl() != nullptr) line_->leave(*socket_.impl());
    leave_reactor();
    for (list* const one : {&waiting, &turns})
        for (io_operation* const operation : *one)
            operation->finish(false);
}

// --- the calls of the public headers --------------------------------------------------------------------------------

std::shared_ptr<io_object> make_io_object(io_role role, shared_socket& socket, const boost::asio::any_io_executor& executor,
                                          const turn_options* in_turn)
{
    auto made = std::make_shared<io_object>(role, executor, in_turn);
    error_code ec;
    made->assign(socket, ec);
    throw_if(ec, "sharedsock: putting a socket on an executor");
    return made;
}

std::weak_ptr<io_object> weakly(io_object& object) noexcept { return object.weak_from_this(); }
void cancel_all(io_object& object) noexcept { object.cancel_all(); }
void cancel_one(const std::weak_ptr<io_object>& object, const void* key) noexcept
{
    if (const auto alive = object.lock()) alive->cancel_one(key);
}
shared_socket& socket_of(io_object& object) noexcept { return object.socket(); }
shared_socket release(io_object& object) noexcept { return object.release(); }
void close(io_object& object, error_code& ec) { object.close(ec); }
void take_over(io_object& object, error_code& ec) { object.take_over(ec); }
bool owns_events(const io_object& object) noexcept { return object.owns_events(); }
bool pass_on(io_object& object, error_code& ec) { return object.pass_on(ec); }

void perform_now(io_object& object, io_operation::kind what, const iovec* pieces, std::size_t count, int flags,
                 socket_address* address, std::size_t& bytes, error_code& ec)
{
    object.perform_now(what, pieces, count, flags, address, bytes, ec);
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
