// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A hand-written server's use of Beast: its parser and serializer for the bytes, recv(2) and sendmsg(2) for the socket. The answers
// are those of examples/prefork_http, made by the same functions.
#include "../examples/prefork_http/site.hpp"
#include "accept/conversation.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>

#include <cerrno>
#include <optional>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace accept_bench {
namespace {

namespace asio  = boost::asio;
namespace beast = boost::beast;
namespace http  = boost::beast::http;
using prefork_http::site;

/// One sendmsg(2) for each turn of the serializer: head and body go in one.
bool send(int connection, site::response& answer)
{
    http::response_serializer<site::response::body_type> left(answer);
    bool sent = true;
    while (sent && !left.is_done()) {
        boost::system::error_code ec;
        left.next(ec, [&](boost::system::error_code&, const auto& buffers) {
            iovec pieces[8];
            std::size_t count = 0;
            for (const auto piece : beast::buffers_range_ref(buffers))
                if (count < std::size(pieces)) pieces[count++] = {const_cast<void*>(piece.data()), piece.size()};
            msghdr message{};
            message.msg_iov    = pieces;
            message.msg_iovlen = count;
            const ssize_t size = ::sendmsg(connection, &message, MSG_NOSIGNAL);
            sent               = size > 0;
            if (sent) left.consume(static_cast<std::size_t>(size));
        });
        sent = sent && !ec;
    }
    return sent;
}

class beast_http final : public conversation {
public:
    beast_http() { mine_.pid = ::getpid(); }
    void begin(int connection) override
    {
        const auto place = static_cast<std::size_t>(connection);
        if (place >= open_.size()) open_.resize(place + 1);
        open_[place] = std::make_unique<state>();
    }
    void end(int connection) override { open_[static_cast<std::size_t>(connection)].reset(); }
    bool serve(int connection, worker_counters& counters) override
    {
        state& one        = *open_[static_cast<std::size_t>(connection)];
        const auto room   = one.unread.prepare(2048);
        const ssize_t got = ::recv(connection, room.data(), room.size(), 0);
        if (got < 0 && errno == EAGAIN) return true;
        if (got <= 0) return false;
        one.unread.commit(static_cast<std::size_t>(got));
        boost::system::error_code ec;
        one.unread.consume(one.request->put(one.unread.data(), ec));
        if (ec == http::error::need_more) return true;
        if (ec || !one.request->is_done()) return false;
        const bool keep = one.request->keep_alive();
        auto answer     = site_.answer(one.request->get());
        answer.keep_alive(keep);
        one.request.emplace();
        one.request->eager(true);
        if (!send(connection, answer)) return false;
        add(counters.requests);
        return keep;
    }

private:
    struct state {
        beast::flat_buffer unread;
        std::optional<http::request_parser<http::empty_body>> request;
        state() { request.emplace().eager(true); }
    };

    prefork_http::scoreboard scores_{1};
    prefork_http::score& mine_{scores_[0]};
    site site_{mine_, scores_};
    std::vector<std::unique_ptr<state>> open_; // by descriptor
};

} // namespace

std::unique_ptr<conversation> make_beast_http() { return std::make_unique<beast_http>(); }

} // namespace accept_bench
