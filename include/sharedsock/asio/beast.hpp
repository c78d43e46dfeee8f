// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// The functions that Boost.Beast finds by the type of a stream: how a WebSocket's connection ends, and how a timeout closes it.
/// Include this beside `<boost/beast/websocket.hpp>` to use `websocket::stream<sharedsock::stream>`; HTTP needs nothing of it.
#include <sharedsock/asio/stream.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/role.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace sharedsock {

namespace detail {

/// A server sends its end first; both read until the peer's end; a client sends its end then; both close.
template <class Stream>
class teardown_operation {
public:
    teardown_operation(boost::beast::role_type role, Stream& stream)
        : role_(role), stream_(&stream), rest_(std::make_unique<buffer>())
    {}

    template <class Self>
    void operator()(Self& self)
    {
        self.reset_cancellation_state(boost::asio::enable_total_cancellation());
        error_code ec;
        if (role_ == boost::beast::role_type::server) stream_->shutdown(boost::asio::socket_base::shutdown_send, ec);
        // A failure comes again with the read: the operation must not complete inside this call.
        read(self);
    }
    template <class Self>
    void operator()(Self& self, error_code ec, std::size_t)
    {
        if (!ec) {
            read(self);
            return;
        }
        if (ec == boost::asio::error::eof) {
            ec.clear();
            if (role_ == boost::beast::role_type::client) stream_->shutdown(boost::asio::socket_base::shutdown_send, ec);
            if (!ec) stream_->close(ec);
        }
        self.complete(ec);
    }

private:
    using buffer = std::array<char, 2048>;

    template <class Self>
    void read(Self& self)
    {
        const auto room = boost::asio::buffer(*rest_); // bytes that the peer had sent by then are dropped
        stream_->async_read_some(room, std::move(self));
    }

    boost::beast::role_type role_;
    Stream* stream_;
    std::unique_ptr<buffer> rest_;
};

} // namespace detail

/// Ends a WebSocket's connection in good order, for all handles in all processes. Waits for the peer's end.
/// @see boost::beast::websocket::teardown.
template <class Executor>
void teardown(boost::beast::role_type role, basic_stream<Executor>& connection, error_code& ec)
{
    ec.clear();
    if (role == boost::beast::role_type::server) connection.shutdown(boost::asio::socket_base::shutdown_send, ec);
    std::array<char, 2048> rest;
    while (!ec)
        static_cast<void>(connection.read_some(boost::asio::buffer(rest), ec));
    if (ec != boost::asio::error::eof) return;
    ec.clear();
    if (role == boost::beast::role_type::client) connection.shutdown(boost::asio::socket_base::shutdown_send, ec);
    if (!ec) connection.close(ec);
}

/// Ends a WebSocket's connection in good order, asynchronously; all types of cancellation end it.
/// @see boost::beast::websocket::async_teardown.
template <class Executor, class Handler>
void async_teardown(boost::beast::role_type role, basic_stream<Executor>& connection, Handler&& handler)
{
    detail::teardown_operation<basic_stream<Executor>> operation(role, connection);
    boost::asio::async_compose<Handler, void(error_code)>(std::move(operation), handler, connection); // moves from it
}

/// Called by Beast when a timeout has passed. Closes this process's handle; the connection lives on if another handle exists.
template <class Executor>
void beast_close_socket(basic_stream<Executor>& connection)
{
    error_code ignored; // as Beast does with Asio's: pending operations are aborted also if the close fails
    connection.close(ignored);
}

} // namespace sharedsock
