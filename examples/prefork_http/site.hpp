// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "scoreboard.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <string>

namespace prefork_http {

/// The resources of the server, and its answers. Knows nothing of connections.
class site {
public:
    using request  = boost::beast::http::request<boost::beast::http::empty_body>;
    using response = boost::beast::http::response<boost::beast::http::string_body>;

    site(score& mine, scoreboard& all) : mine_(mine), all_(all) {}

    response answer(const request& asked);
    static response refuse(const std::string& why); ///< the answer to bytes that are no request
    /// Whether an error is in the bytes received; else it is of the connection, and an answer would not arrive.
    static bool is_no_request(const boost::system::error_code& ec);

private:
    score& mine_;
    scoreboard& all_;
};

} // namespace prefork_http
