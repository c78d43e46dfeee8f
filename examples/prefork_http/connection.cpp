// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "connection.hpp"

#include <array>
#include <span>

namespace prefork_http {

namespace ss   = sharedsock;
namespace http = boost::beast::http;

connection::connection(ss::shared_socket accepted, score& mine, scoreboard& all)
    : socket_(std::move(accepted)), mine_(mine), all_(all)
{}

ss::network_event connection::wants() const noexcept
{
    return ss::network_event::close | (unsent_.empty() ? ss::network_event::read : ss::network_event::write);
}

bool connection::proceed()
{
    if (unsent_.empty() && !receive()) return false;
    parse();
    return send();
}

bool connection::finish()
{
    last_ = true;
    if (unread_.empty()) parser_.reset();
    return parser_ || !unsent_.empty();
}

bool connection::receive()
{
    std::array<std::byte, 8192> room;
    ss::error_code ec;
    const std::size_t count = socket_.receive(room, 0, ec);
    unread_.append(reinterpret_cast<const char*>(room.data()), count);
    return ec ? ec == std::errc::operation_would_block : count != 0;
}

void connection::parse()
{
    while (parser_ && !unread_.empty()) {
        ss::error_code ec;
        unread_.erase(0, parser_->put(boost::asio::buffer(unread_), ec));
        if (ec == http::error::need_more) return;
        if (!ec && !parser_->is_done()) continue;
        last_ = last_ || ec || !parser_->keep_alive();
        if (ec)
            answer("400 Bad Request", "text/plain", "This is no request that I understand: " + ec.message() + "\n");
        else
            answer(parser_->get());
        last_ ? parser_.reset() : static_cast<void>(parser_.emplace());
    }
}

bool connection::send()
{
    ss::error_code ec;
    while (!unsent_.empty() && !ec)
        unsent_.erase(0, socket_.send(std::as_bytes(std::span(unsent_)), 0, ec));
    if (ec) return ec == std::errc::operation_would_block;
    return parser_.has_value();
}

void connection::answer(const parser::value_type& request)
{
    mine_.requests.fetch_add(1, std::memory_order_relaxed);
    const bool head = request.method() == http::verb::head;
    if (!head && request.method() != http::verb::get) {
        answer("405 Method Not Allowed\r\nAllow: GET, HEAD", "text/plain", "There is only something to get.\n");
    } else if (request.target() == "/") {
        answer("200 OK", "text/plain", "Hello from process " + std::to_string(mine_.pid) + ".\n", !head);
    } else if (request.target() == "/stats") {
        answer("200 OK", "application/json", all_.to_json(), !head);
    } else {
        answer("404 Not Found", "text/plain", "There is / and /stats.\n", !head);
    }
}

void connection::answer(const char* status, const char* type, const std::string& body, bool with_body)
{
    unsent_ += std::string("HTTP/1.1 ") + status + "\r\nContent-Type: " + type +
               "\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\nConnection: " + (last_ ? "close" : "keep-alive") + "\r\n\r\n";
    if (with_body) unsent_ += body;
}

} // namespace prefork_http
