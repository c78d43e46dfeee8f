// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "scoreboard.hpp"

#include <sharedsock/shared_socket.hpp>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>
#include <string>

namespace prefork_http {

/// One connection: HTTP/1.1 requests in, answers out, in their order; nothing in it waits.
class connection {
public:
    connection(sharedsock::shared_socket accepted, score& mine, scoreboard& all);

    /// Does what can be done now. False when the connection has ended: drop it.
    bool proceed();

    /// Ends the connection with the answer under way. False if there is none: drop it.
    bool finish();

    /// The events that it waits for: it reads on only when everything is sent.
    sharedsock::network_event wants() const noexcept;

    sharedsock::shared_socket& socket() noexcept { return socket_; }

private:
    using parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

    bool receive();
    void parse();
    bool send();
    void answer(const parser::value_type& request);
    void answer(const char* status, const char* type, const std::string& body, bool with_body = true);

    sharedsock::shared_socket socket_;
    score& mine_;
    scoreboard& all_;
    std::optional<parser> parser_{std::in_place}; // of the request that comes in; none after the last one
    std::string unread_;                          // received, not parsed yet
    std::string unsent_;
    bool last_ = false; // the next answer is the last one
};

} // namespace prefork_http
