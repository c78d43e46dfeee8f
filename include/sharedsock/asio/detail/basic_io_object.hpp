// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/initiation.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/socket_base.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// Without what `use_awaitable_t<>::as_default_on_t` and its like add to an io_context's executor, so that its type tells what it
/// is.
template <class Executor>
boost::asio::any_io_executor plain(const Executor& executor)
{
    if constexpr (std::is_convertible_v<const Executor&, const boost::asio::io_context::executor_type&>)
        return static_cast<const boost::asio::io_context::executor_type&>(executor);
    else
        return executor;
}

/// The common part of `basic_stream`, `basic_datagram` and `basic_acceptor`: a shared socket on an executor.
///
/// Its asynchronous operations run under the socket's one registration (REG-4). The first takes the registration over from any
/// owner, and it stays with the object until another handle takes it, or `cancel_registration`, `pass_on`, `close` or `release`
/// gives it away. When it is lost, all pending operations complete with `errc::registration_cancelled`; if none was pending,
/// the next one does, without taking anything back: so a loss is always told, once (G3). The operation after that registers
/// anew. No operation consumes a byte, a datagram or a connection once another handle's take-over has returned (G2).
///
/// The socket becomes non-blocking for all handles (REG-12); the synchronous operations of these objects wait all the same. They
/// are calls of the user's own: they need no registration, and none covers them.
///
/// @par Cancellation
/// Total, partial and terminal cancellation of a pending operation: it completes with `operation_aborted` and has had no
/// effect, but for a connect, whose attempt goes on.
/// @par Safety
/// As Asio's sockets: distinct objects are safe, one object is not. Completion never happens inside an initiating function.
/// Destruction on a thread while operations are pending: they complete with `operation_aborted`.
/// @par fork(2)
/// As with Asio, call `notify_fork` on the context before and after. The registration stays the parent's (DUP-17): the child's
/// copy has lost it, and its next operation completes with `errc::registration_cancelled`.
template <class Executor>
class basic_io_object {
public:
    using executor_type = Executor;

    basic_io_object(basic_io_object&&) noexcept = default;
    basic_io_object& operator=(basic_io_object&& other) noexcept
    {
        if (this != &other) {
            drop();
            object_   = std::move(other.object_);
            executor_ = other.executor_;
        }
        return *this;
    }
    ~basic_io_object() { drop(); }

    executor_type get_executor() noexcept { return executor_; }

    /// The shared socket itself, for everything that does not wait: options, addresses, tickets, queries. Do not close it here.
    shared_socket& socket() noexcept { return socket_of(*object_); }
    const shared_socket& socket() const noexcept { return socket_of(*object_); }
    bool is_open() const noexcept { return object_ != nullptr && socket().is_open(); }
    int native_handle() const noexcept { return socket().native_handle(); }

    /// Cancels all pending operations of this object; the registration stays.
    void cancel() noexcept { cancel_all(*object_); }
    void cancel(error_code& ec) noexcept
    {
        ec.clear();
        cancel_all(*object_);
    }

    /// Closes this handle; pending operations complete with `operation_aborted`. See `shared_socket::close`.
    void close(error_code& ec) { detail::close(*object_, ec); }
    void close()
    {
        or_throw("sharedsock::basic_io_object::close", [this](error_code& ec) { close(ec); });
    }

    /// The shared socket, off the executor: to hand it over, or to put it on another. Pending operations are aborted.
    shared_socket release() { return detail::release(*object_); }

    /// Registers now, instead of with the next operation (REG-2). `errc::fence_pending`: this object owns the events, but the
    /// former owner is stopped in the middle of an operation: operations here wait until that has ended.
    void take_over(error_code& ec) { detail::take_over(*object_, ec); }
    void take_over()
    {
        or_throw("sharedsock::basic_io_object::take_over", [this](error_code& ec) { take_over(ec); });
    }

    /// Whether this object owns the socket's events at this moment.
    bool owns_events() const noexcept { return detail::owns_events(*object_); }

    /// Completes when this object owns the events: waits in the standby queue, and takes nothing over (`shared_socket::stand_by`).
    /// At once if its own handle owns them for an event object or a handler: the object takes the place of that sink.
    template <boost::asio::completion_token_for<void(error_code)> Token = boost::asio::default_completion_token_t<Executor>>
    auto async_stand_by(Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return start<void(error_code)>(token, io_operation::kind::turn, 0, piece_list<1>(), nullptr, error_only{});
    }

    /// Passes the registration on to the first in the standby queue, whose end this object joins (`shared_socket::pass_on`); start
    /// `async_stand_by` to hear of the next turn. Pending operations complete with `errc::registration_cancelled`. False if no
    /// handle stands by, and after an error: then nothing has changed, and pending operations go on. `errc::not_the_owner`: this
    /// object has nothing to pass on.
    bool pass_on(error_code& ec) { return detail::pass_on(*object_, ec); }
    bool pass_on()
    {
        bool done = false;
        or_throw("sharedsock::basic_io_object::pass_on", [&](error_code& ec) { done = pass_on(ec); });
        return done;
    }

    /// Completes when the descriptor is ready for reading, writing, or has an error. Consumes nothing.
    template <boost::asio::completion_token_for<void(error_code)> Token = boost::asio::default_completion_token_t<Executor>>
    auto async_wait(boost::asio::socket_base::wait_type what, Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        const auto kind = what == boost::asio::socket_base::wait_read    ? io_operation::kind::wait_read
                          : what == boost::asio::socket_base::wait_write ? io_operation::kind::wait_write
                                                                         : io_operation::kind::wait_error;
        return start<void(error_code)>(token, kind, 0, piece_list<1>(), nullptr, error_only{});
    }

protected:
    basic_io_object(io_role role, const Executor& executor, shared_socket&& socket)
        : executor_(executor), object_(make_io_object(role, socket, plain(executor)))
    {}

    basic_io_object(io_role role, const Executor& executor, shared_socket&& socket, const turn_options& in_turn)
        : executor_(executor), object_(make_io_object(role, socket, plain(executor), &in_turn))
    {}

    template <class Signature, class Token, class Pieces, class Results>
    auto start(Token& token, io_operation::kind what, int flags, const Pieces& pieces, const socket_address* address,
               Results results)
    {
        return boost::asio::async_initiate<Token, Signature>(initiation<Executor>(*object_, executor_), token, what, flags, pieces,
                                                             address, std::move(results));
    }
    template <class Pieces>
    std::size_t now(io_operation::kind what, int flags, const Pieces& pieces, socket_address* address, error_code& ec)
    {
        std::size_t bytes = 0;
        perform_now(*object_, what, pieces.data(), pieces.count(), flags, address, bytes, ec);
        return bytes;
    }

private:
    void drop() noexcept
    {
        if (object_ != nullptr) static_cast<void>(detail::release(*object_)); // the socket closes in the background
        object_.reset();
    }

    Executor executor_;
    std::shared_ptr<io_object> object_; // null when moved from
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
