// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// sharedsock: the acceptors of a shared listener take turns.
#include "accept/scheme.hpp"

#include <sharedsock/sharedsock.hpp>

namespace accept_bench {
namespace {

namespace ss = sharedsock;

constexpr std::int32_t listener_ready = -1;
constexpr std::int32_t alarm_ready    = -2;

std::uint64_t number(std::int32_t which) { return static_cast<std::uint32_t>(which); }

class turn_source final : public connection_source {
public:
    turn_source(const ss::segment& where, ss::shared_socket listener, const ss::turn_options& how)
        : where_(where), acceptor_(std::move(listener), how)
    {}
    void start(server& to) override { acceptor_.stand_by(to.epoll(), number(listener_ready), number(alarm_ready)); }
    void ready(server& to, std::int32_t which) override
    {
        ss::error_code ec;
        if (which == alarm_ready) return acceptor_.look(ec);
        const std::uint64_t before = acceptor_.turns();
        const int connection       = acceptor_.accept_descriptor(ec);
        if (acceptor_.turns() != before) add(to.counters().hands_on);
        if (connection < 0) return; // another worker was faster
        to.begin(connection);
        where_.set_load(to.open());
    }
    void ending(server& of, int) override { where_.set_load(of.open()); }

private:
    ss::segment where_;
    ss::turn_acceptor acceptor_;
};

class in_turn : public scheme {
public:
    explicit in_turn(const ss::turn_options& how) : how_(how), where_(ss::segment::create_unnamed({.sockets = 64, .processes = 32}))
    {}
    std::uint16_t prepare(unsigned) override
    {
        listener_ = ss::shared_socket::listen(where_, ss::socket_address::loopback(0), 1024);
        return listener_.local_address().port();
    }
    std::unique_ptr<connection_source> source(unsigned) override
    {
        return std::make_unique<turn_source>(where_, std::move(listener_), how_);
    }

private:
    const ss::turn_options how_;
    ss::segment where_;
    ss::shared_socket listener_;
};

class turn_beast final : public in_turn {
public:
    using in_turn::in_turn;
    std::unique_ptr<conversation> http() override { return make_beast_http(); }
};

} // namespace

std::unique_ptr<scheme> make_turn_beast() { return std::make_unique<turn_beast>(ss::turn_options{}); }
std::unique_ptr<scheme> make_in_turn() { return std::make_unique<in_turn>(ss::turn_options{}); }

} // namespace accept_bench
