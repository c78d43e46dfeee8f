// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/basic_io_object.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace sharedsock {

/// A datagram socket that several processes hold, as Asio's `basic_datagram_socket`: one of them receives at a time, and each
/// datagram is received once, also across take-overs.
///
/// Datagrams received before a loss are still the receiver's to handle. Answer them with the synchronous `send_to`: that is a
/// call of the user's own, which needs no registration and takes none back; `async_send_to` would take the events from their
/// present owner, or complete with `errc::registration_cancelled` if the loss was not told yet.
///
/// @par Errors, cancellation, safety, fork(2)
/// As `detail::basic_io_object` says; the calls fail as those of `shared_socket`.
/// @see semantics REG-1..20; Asio's `basic_datagram_socket`.
template <class Executor = boost::asio::any_io_executor>
class basic_datagram : public detail::basic_io_object<Executor> {
    using base          = detail::basic_io_object<Executor>;
    using kind          = detail::io_operation::kind;
    using message_flags = boost::asio::socket_base::message_flags;
    template <class Buffers>
    using pieces = detail::pieces_of<Buffers, detail::datagram_pieces>;

public:
    template <class Other>
    struct rebind_executor {
        using other = basic_datagram<Other>;
    };

    explicit basic_datagram(const Executor& executor) : base(detail::io_role::datagram, executor, shared_socket()) {}
    /// Puts `socket` on `executor`. Throws `system_error`; then `socket` is still the caller's.
    basic_datagram(const Executor& executor, shared_socket&& socket) : base(detail::io_role::datagram, executor, std::move(socket))
    {}
    template <class Context>
    requires std::is_convertible_v<Context&, boost::asio::execution_context&> basic_datagram(Context& context,
                                                                                             shared_socket&& socket)
        : base(detail::io_role::datagram, context.get_executor(), std::move(socket))
    {}

    /// Receives one datagram; bytes beyond the room in `buffers` are cut off, as with recv(2).
    template <class MutableBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token =
                                        boost::asio::default_completion_token_t<Executor>>
    auto async_receive(const MutableBuffers& buffers, Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return this->template start<void(error_code, std::size_t)>(token, kind::receive, 0, pieces<MutableBuffers>(buffers),
                                                                   nullptr, detail::error_and_bytes{});
    }
    /// Receives one datagram and its sender's address: a `socket_address` or an endpoint of Asio's, which must live until
    /// completion.
    template <
        class MutableBuffers, class Address,
        boost::asio::completion_token_for<void(error_code, std::size_t)> Token = boost::asio::default_completion_token_t<Executor>>
    auto async_receive_from(const MutableBuffers& buffers, Address& sender,
                            Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        const socket_address nobody;
        return this->template start<void(error_code, std::size_t)>(token, kind::receive, 0, pieces<MutableBuffers>(buffers),
                                                                   &nobody, detail::bytes_and_sender<Address>{&sender});
    }
    template <class ConstBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token =
                                      boost::asio::default_completion_token_t<Executor>>
    auto async_send(const ConstBuffers& buffers, Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return this->template start<void(error_code, std::size_t)>(token, kind::send, 0, pieces<ConstBuffers>(buffers), nullptr,
                                                                   detail::error_and_bytes{});
    }
    template <class ConstBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token =
                                      boost::asio::default_completion_token_t<Executor>>
    auto async_send_to(const ConstBuffers& buffers, const socket_address& to,
                       Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return this->template start<void(error_code, std::size_t)>(token, kind::send, 0, pieces<ConstBuffers>(buffers), &to,
                                                                   detail::error_and_bytes{});
    }

    // The synchronous forms: they wait without a limit.

    template <class MutableBuffers>
    std::size_t receive_from(const MutableBuffers& buffers, socket_address& sender, error_code& ec)
    {
        return this->now(kind::receive, 0, pieces<MutableBuffers>(buffers), &sender, ec);
    }
    template <class MutableBuffers>
    std::size_t receive_from(const MutableBuffers& buffers, socket_address& sender)
    {
        return detail::or_throw("sharedsock::basic_datagram::receive_from",
                                [&](error_code& ec) { return receive_from(buffers, sender, ec); });
    }
    template <class ConstBuffers>
    std::size_t send_to(const ConstBuffers& buffers, const socket_address& to, error_code& ec)
    {
        socket_address target = to;
        return this->now(kind::send, 0, pieces<ConstBuffers>(buffers), &target, ec);
    }
    template <class ConstBuffers>
    std::size_t send_to(const ConstBuffers& buffers, const socket_address& to)
    {
        return detail::or_throw("sharedsock::basic_datagram::send_to", [&](error_code& ec) { return send_to(buffers, to, ec); });
    }
};

using datagram = basic_datagram<>;

} // namespace sharedsock
