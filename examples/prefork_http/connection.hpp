// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "site.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/system/error_code.hpp>

#include <optional>
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
    connection(Stream accepted, site& what) : stream_(std::move(accepted)), site_(what) {}

    awaitable<> serve(); ///< until it ends
    /// The next answer is the last one. A client may have sent its next request already, so it is waited for.
    void finish() { last_ = true; }
    void end_if_idle(); ///< unless a request has begun to come in

private:
    using parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

    Stream stream_;
    site& site_;
    boost::beast::flat_buffer unread_; // received, not parsed yet
    std::optional<parser> request_;    // the request that comes in; none while one is answered
    bool last_ = false;                // the next answer is the last one
};

template <class Stream>
awaitable<> connection<Stream>::serve()
{
    namespace http = boost::beast::http;
    for (bool ends = false; !ends;) {
        request_.emplace();
        const auto [broken, received] = co_await http::async_read(stream_, unread_, *request_);
        if (broken && !site::is_no_request(broken)) co_return;
        ends = last_ || broken || !request_->keep_alive();

        site::response answer = broken ? site_.refuse(broken.message()) : site_.answer(request_->get());
        answer.keep_alive(!ends); // the client has to know: `finish` may be called while it is sent
        request_.reset();
        const auto [lost, sent] = co_await http::async_write(stream_, answer);
        if (lost) co_return;
    }
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
