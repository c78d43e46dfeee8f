// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "site.hpp"

#include <sharedsock/asio/acceptor.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>

namespace prefork_http {

// As with Asio's own: operations that need no token and give (error, result) to co_await; on an io_context and on nothing else, so
// that nothing pays for executors of any type.
using executor   = boost::asio::io_context::executor_type;
using use_result = boost::asio::as_tuple_t<boost::asio::use_awaitable_t<executor>>;
using stream     = use_result::as_default_on_t<sharedsock::basic_stream<executor>>;
using acceptor   = use_result::as_default_on_t<sharedsock::basic_acceptor<executor>>;
template <class Result = void>
using awaitable = boost::asio::awaitable<Result, executor>;

/// One connection: HTTP/1.1 requests in, answers out, in their order.
class connection {
public:
    connection(stream accepted, site& what) : stream_(std::move(accepted)), site_(what) {}

    awaitable<> serve(); ///< until it ends
    void finish();       ///< ends it, after the answer to a request that has begun to come in

private:
    using parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

    stream stream_;
    site& site_;
    boost::beast::flat_buffer unread_; // received, not parsed yet
    std::optional<parser> request_;    // the one that comes in; none while one is answered
    bool last_ = false;                // the next answer is the last one
};

} // namespace prefork_http
