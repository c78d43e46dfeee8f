// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "connection.hpp"

#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace prefork_http {

namespace http = boost::beast::http;

namespace {

// Of what has come in; else of the connection, and then nobody hears an answer.
bool is_no_request(const sharedsock::error_code& ec)
{
    return ec.category() == http::make_error_code(http::error::bad_method).category() && ec != http::error::end_of_stream &&
           ec != http::error::partial_message;
}

} // namespace

awaitable<> connection::serve()
{
    while (!last_) {
        request_.emplace();
        const auto [broken, received] = co_await http::async_read(stream_, unread_, *request_);
        if (broken && !is_no_request(broken)) co_return;
        last_ = last_ || broken || !request_->keep_alive();

        site::response answer = broken ? site_.refuse(broken.message()) : site_.answer(request_->get());
        answer.keep_alive(!last_);
        request_.reset();
        const auto [lost, sent] = co_await http::async_write(stream_, answer);
        if (lost) co_return;
    }
}

void connection::finish()
{
    last_ = true;
    if (request_ && !request_->got_some()) stream_.cancel();
}

} // namespace prefork_http
