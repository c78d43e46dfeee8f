// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/basic_io_object.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace sharedsock {

/// A connection that several processes hold, as a stream of Asio's: models AsyncReadStream, AsyncWriteStream, SyncReadStream
/// and SyncWriteStream, so all that is built on those works on it (`async_read`, Beast, `ssl::stream` …).
///
/// `detail::basic_io_object` says what happens to a pending read when another process takes over. `release` gives the shared socket
/// back, to duplicate and close it, or to hand it over with the bytes already read.
///
/// @par Errors, cancellation, safety, fork(2)
/// As `detail::basic_io_object` says; the calls fail as those of `shared_socket`.
/// @see semantics REG-1..20; Asio's `basic_stream_socket`.
template <class Executor = boost::asio::any_io_executor>
class basic_stream : public detail::basic_io_object<Executor> {
    using base = detail::basic_io_object<Executor>;
    using kind = detail::io_operation::kind;

public:
    template <class Other>
    struct rebind_executor {
        using other = basic_stream<Other>;
    };
    using lowest_layer_type = basic_stream;

    /// A closed stream: the result of a failed accept, and the target of a move.
    explicit basic_stream(const Executor& executor) : base(detail::io_role::connection, executor, shared_socket()) {}
    /// Puts `socket` on `executor`, whose context has to do I/O (`io_context`, `thread_pool`). Throws `system_error`; then
    /// `socket` is still the caller's. Registers nothing yet.
    basic_stream(const Executor& executor, shared_socket&& socket) : base(detail::io_role::connection, executor, std::move(socket))
    {}
    /// Puts `socket` on the executor of `context`; fails as the constructor for an executor.
    template <class Context>
    requires std::is_convertible_v<Context&, boost::asio::execution_context&> basic_stream(Context& context, shared_socket&& socket)
        : base(detail::io_role::connection, context.get_executor(), std::move(socket))
    {}

    lowest_layer_type& lowest_layer() noexcept { return *this; }
    const lowest_layer_type& lowest_layer() const noexcept { return *this; }

    /// Reads some bytes, at least one. `asio::error::eof`: the orderly end. An error that ended the connection comes again and
    /// again, in every process (STATE-9).
    template <class MutableBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token =
                                        boost::asio::default_completion_token_t<Executor>>
    auto async_read_some(const MutableBuffers& buffers, Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return async_receive(buffers, 0, std::forward<Token>(token));
    }
    template <class ConstBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token =
                                      boost::asio::default_completion_token_t<Executor>>
    auto async_write_some(const ConstBuffers& buffers, Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return async_send(buffers, 0, std::forward<Token>(token));
    }

    /// Receive and send with flags of recv(2) and send(2).
    template <class MutableBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token =
                                        boost::asio::default_completion_token_t<Executor>>
    auto async_receive(const MutableBuffers& buffers, boost::asio::socket_base::message_flags flags,
                       Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return this->template start<void(error_code, std::size_t)>(
            token, kind::receive, flags, detail::pieces_of<MutableBuffers>(buffers), nullptr, detail::error_and_bytes{});
    }
    template <class ConstBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token =
                                      boost::asio::default_completion_token_t<Executor>>
    auto async_send(const ConstBuffers& buffers, boost::asio::socket_base::message_flags flags,
                    Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return this->template start<void(error_code, std::size_t)>(
            token, kind::send, flags, detail::pieces_of<ConstBuffers>(buffers), nullptr, detail::error_and_bytes{});
    }

    /// Connects, with one attempt common to all handles (STATE-5).
    template <boost::asio::completion_token_for<void(error_code)> Token = boost::asio::default_completion_token_t<Executor>>
    auto async_connect(const socket_address& peer, Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return this->template start<void(error_code)>(token, kind::connect, 0, detail::piece_list<1>(), &peer,
                                                      detail::error_only{});
    }

    // The synchronous forms: they wait without a limit.

    template <class MutableBuffers>
    std::size_t read_some(const MutableBuffers& buffers, error_code& ec)
    {
        return this->now(kind::receive, 0, detail::pieces_of<MutableBuffers>(buffers), nullptr, ec);
    }
    template <class MutableBuffers>
    std::size_t read_some(const MutableBuffers& buffers)
    {
        return detail::or_throw("sharedsock::basic_stream::read_some", [&](error_code& ec) { return read_some(buffers, ec); });
    }
    template <class ConstBuffers>
    std::size_t write_some(const ConstBuffers& buffers, error_code& ec)
    {
        return this->now(kind::send, 0, detail::pieces_of<ConstBuffers>(buffers), nullptr, ec);
    }
    template <class ConstBuffers>
    std::size_t write_some(const ConstBuffers& buffers)
    {
        return detail::or_throw("sharedsock::basic_stream::write_some", [&](error_code& ec) { return write_some(buffers, ec); });
    }
    void connect(const socket_address& peer, error_code& ec)
    {
        socket_address to = peer;
        static_cast<void>(this->now(kind::connect, 0, detail::piece_list<1>(), &to, ec));
    }
    void connect(const socket_address& peer)
    {
        detail::or_throw("sharedsock::basic_stream::connect", [&](error_code& ec) { connect(peer, ec); });
    }

    /// Ends the connection for all handles in all processes (STATE-6).
    void shutdown(boost::asio::socket_base::shutdown_type what, error_code& ec) { this->socket().shutdown(what, ec); }
    void shutdown(boost::asio::socket_base::shutdown_type what) { this->socket().shutdown(what); }
};

using stream = basic_stream<>;

} // namespace sharedsock
