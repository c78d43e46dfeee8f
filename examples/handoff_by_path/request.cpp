// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "request.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace handoff {

namespace http = boost::beast::http;

std::optional<request> parse_head(std::string_view bytes)
{
    http::request_parser<http::empty_body> parser;
    parser.skip(true); // this parser reads the head only
    parser.eager(false);
    boost::system::error_code ec;
    request found;
    while (!parser.is_header_done() && !ec) { // the start line and the fields are two calls
        const std::size_t used = parser.put(boost::asio::buffer(bytes.substr(found.head_bytes)), ec);
        found.head_bytes += used;
    }
    if (ec == http::error::need_more) return std::nullopt;
    const auto& head       = parser.get();
    found.method           = std::string(head.method_string());
    found.path             = std::string(head.target());
    found.body_bytes       = parser.content_length().value_or(0);
    found.keep_alive       = head.keep_alive();
    found.expects_continue = head[http::field::expect] == "100-continue";
    found.understood       = !ec && !parser.chunked();
    return found;
}

} // namespace handoff
