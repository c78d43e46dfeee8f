// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "site.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace prefork_http {

// As with Asio's own: operations that need no token and give (error, result) to co_await; on an io_context only, so that the
// program does not pay for executors of any type.
using executor   = boost::asio::io_context::executor_type;
using use_result = boost::asio::as_tuple_t<boost::asio::use_awaitable_t<executor>>;
template <class Result = void>
using awaitable = boost::asio::awaitable<Result, executor>;

/// One connection: HTTP/1.1 requests in, answers out, in their order. `Stream` is sharedsock's; that it may be Asio's own lets
/// bench/accept tell what the difference costs.
template <class Stream>
class connection {
public:
    /// @param read_before  bytes that another process has read from it, and not answered.
    connection(Stream accepted, site& what, std::span<const std::byte> read_before = {}) : stream_(std::move(accepted)), site_(what)
    {
        unread_.commit(boost::asio::buffer_copy(unread_.prepare(read_before.size()),
                                                boost::asio::buffer(read_before.data(), read_before.size())));
    }

    awaitable<> serve(); ///< until it ends, or moves
    /// The next answer is the last one. A client may have sent its next request already, so it is waited for.
    void finish() { last_ = true; }
    void end_if_idle(); ///< unless a request has begun to come in

    /// `serve` returns as soon as no request is whole, so that another process can go on with `stream` and `unread`. Repeat it: a
    /// read that has just got a part of a request reads on.
    void move();
    void stay() { moves_ = false; }
    bool moves() const { return moves_ && !is_over_; }
    Stream& stream() { return stream_; }
    std::span<const std::byte> unread() const { return {static_cast<const std::byte*>(unread_.data().data()), unread_.size()}; }

private:
    using parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

    static constexpr std::size_t piece = 4096;
    boost::system::error_code parse(std::size_t parsed); ///< goes on after so many bytes; need_more: the request is not whole

    Stream stream_;
    site& site_;
    boost::beast::flat_buffer unread_; // received, and not of a whole request
    std::size_t unparsed_ = 0;         // of them, the last so many
    std::optional<parser> request_;    // the request that comes in; none while one is answered
    bool last_    = false;             // the next answer is the last one
    bool moves_   = false;             // no further request is to be read here
    bool is_over_ = false;             // there is no client to go on with
};

template <class Stream>
awaitable<> connection<Stream>::serve()
{
    namespace http = boost::beast::http;
    while (!is_over_ && !moves_) {
        request_.emplace().eager(true);
        boost::system::error_code broken = parse(0);
        while (broken == http::error::need_more) {
            const std::size_t parsed = unread_.size() - unparsed_;
            const auto [lost, got]   = co_await stream_.async_read_some(unread_.prepare(piece));
            unread_.commit(got);
            broken = lost ? lost : parse(parsed);
        }
        if (moves_ && broken == boost::asio::error::operation_aborted) break; // `unread_` has the part of the request that has come
        is_over_ = last_ || broken || !request_->keep_alive();
        if (broken && !site::is_no_request(broken)) break;
        unread_.consume(unread_.size() - unparsed_);

        site::response answer = broken ? site_.refuse(broken.message()) : site_.answer(request_->get());
        answer.keep_alive(!is_over_); // the client has to know: `finish` may be called while it is sent
        request_.reset();
        const auto [lost, sent] = co_await http::async_write(stream_, answer);
        if (lost) is_over_ = true;
    }
    request_.reset();
}

// The bytes of a request stay in `unread_` until it is whole: the next process parses them anew.
template <class Stream>
boost::system::error_code connection<Stream>::parse(std::size_t parsed)
{
    boost::system::error_code ec;
    while (!ec && !request_->is_done())
        parsed += request_->put(boost::asio::const_buffer(unread_.data()) + parsed, ec);
    unparsed_ = unread_.size() - parsed;
    return ec;
}

template <class Stream>
void connection<Stream>::move()
{
    moves_ = true;
    boost::system::error_code ended_already;
    if (request_) stream_.cancel(ended_already);
}

template <class Stream>
void connection<Stream>::end_if_idle()
{
    if (!request_ || request_->got_some()) return;
    boost::system::error_code ended_already;
    // A request that has arrived by now is still read.
    stream_.shutdown(boost::asio::socket_base::shutdown_receive, ended_already);
}

} // namespace prefork_http
