// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The alternative to sharedsock's acceptor: the registration itself is the turn, with `stand_by` and `pass_on`. The owner is
// woken, accepts a batch, and rings the next in the standby queue before it begins to work.
#include "accept/scheme.hpp"

#include <sharedsock/sharedsock.hpp>

namespace accept_bench {
namespace {

namespace ss = sharedsock;

constexpr std::int32_t object_ready = -1;
constexpr int most_at_once          = 4; // accepted in one turn

class token_source final : public connection_source {
public:
    explicit token_source(ss::shared_socket listener) : listener_(std::move(listener)) {}
    void start(server& to) override
    {
        to.watch(turn_.native_handle(), EPOLLIN, object_ready);
        listener_.stand_by(turn_, ss::network_event::accept);
    }
    void ready(server& to, std::int32_t) override
    {
        if (!turn_.is_set() || !listener_.enum_network_events(turn_).has(ss::network_event::accept)) return;
        for (int accepted = 0; accepted < most_at_once; ++accepted) {
            const int connection = accept_one(listener_.native_handle());
            if (connection < 0) break;
            to.begin(connection);
        }
        if (listener_.pass_on()) add(to.counters().hands_on);
    }

private:
    ss::event_object turn_;
    ss::shared_socket listener_;
};

class token final : public scheme {
public:
    token() : where_(ss::segment::create_unnamed({.sockets = 64, .processes = 32})) {}
    std::uint16_t prepare(unsigned) override
    {
        listener_ = ss::shared_socket::listen(where_, ss::socket_address::loopback(0), 1024);
        return listener_.local_address().port();
    }
    std::unique_ptr<connection_source> source(unsigned) override { return std::make_unique<token_source>(std::move(listener_)); }

private:
    ss::segment where_;
    ss::shared_socket listener_;
};

} // namespace

std::unique_ptr<scheme> make_token() { return std::make_unique<token>(); }

} // namespace accept_bench
