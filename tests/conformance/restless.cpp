// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "conformance/restless.hpp"

#include "support/carry_pattern.hpp"

#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>

#include <sys/socket.h>

namespace ss = sharedsock;

namespace test {
namespace {

ss::event_handler handler()
{
    return [](const ss::event_message&) {};
}

} // namespace

restless::restless(const ss::segment& segment, ss::shared_socket&& first, unsigned seed) : segment_(segment), random_(seed)
{
    sockets_.push_back(std::move(first));
}

bool restless::act()
{
    ss::shared_socket& s = sockets_[random_() % sockets_.size()];
    ss::error_code ec;
    std::byte room[16]{};
    switch (random_() % 26) {
    case 0:
        s.event_select(ready_, mask(), {}, ec);
        break;
    case 1:
        s.event_select(other_, mask(), {}, ec);
        break;
    case 2:
        ss::async_select(s, context_.get_executor(), handler(), mask(), {}, ec);
        break;
    case 3:
        ss::async_stand_by(s, context_.get_executor(), handler(), mask(), {}, ec);
        break;
    case 4:
        s.stand_by(ready_, mask(), {}, ec);
        break;
    case 5:
        s.pass_on(ec);
        break;
    case 6:
        s.cancel_registration(ec);
        break;
    case 7:
        s.enum_network_events(&ready_, ec);
        break;
    case 8:
        s.enum_network_events(nullptr, ec);
        break;
    case 9:
        s.send(std::span(room).first(3), MSG_DONTWAIT, ec);
        break;
    case 10:
        s.receive(room, MSG_DONTWAIT, ec);
        break;
    case 11:
        static_cast<void>(ready_.is_set()), static_cast<void>(other_.is_set());
        break;
    case 12:
        keep(ss::shared_socket::redeem(segment_, s.duplicate(segment_.self(), ec), ec));
        break;
    case 13:
        give_away(s);
        break;
    case 14:
        for (const auto& one : segment_.waiting_tickets())
            keep(ss::shared_socket::redeem(segment_, one.value, ec));
        break;
    case 15:
        keep(ss::shared_socket::listen(segment_, ss::socket_address::loopback(0), ec));
        break;
    case 16:
        connect_to_self();
        break;
    case 17:
        segment_.publish("name " + std::to_string(random_() % 3), s, ec);
        break;
    case 18:
        keep(ss::shared_socket::open_published(segment_, "name " + std::to_string(random_() % 3), ec));
        break;
    case 19:
        segment_.poll();
        break;
    case 20:
        static_cast<void>(segment_.sweep());
        break;
    case 21:
        static_cast<void>(s.handles()), static_cast<void>(s.registration());
        break;
    case 22:
        drop();
        break;
    case 23:
        other_ = ss::event_object();
        break;
    case 24:
        hand_over(ss::shared_socket::redeem(segment_, s.duplicate(segment_.self(), ec), ec));
        break;
    case 25:
        receive_hand_over();
        break;
    }
    context_.poll();
    context_.restart();
    return !ec;
}

ss::network_event restless::mask() { return static_cast<ss::network_event>(random_() % 64); }

void restless::keep(ss::shared_socket&& made)
{
    if (made.is_open()) sockets_.push_back(std::move(made));
    while (sockets_.size() > 6)
        drop();
}

void restless::drop()
{
    if (sockets_.size() > 1) sockets_.erase(sockets_.begin() + static_cast<std::ptrdiff_t>(1 + random_() % (sockets_.size() - 1)));
}

void restless::give_away(ss::shared_socket& s)
{
    const auto all = segment_.processes();
    if (all.empty()) return;
    ss::error_code ec;
    const ss::ticket ticket = s.duplicate(all[random_() % all.size()].id, ec);
    if (!ec && random_() % 2 == 0) segment_.revoke(ticket, ec);
}

void restless::hand_over(ss::shared_socket&& s)
{
    const auto all = segment_.processes();
    if (all.empty() || !s.is_open()) return;
    const std::size_t count = random_() % 2 == 0 ? random_() % 1'000 : random_() % 40'000;
    const auto bytes        = test::carry_pattern(count, count);
    ss::error_code ec;
    if (random_() % 2 == 0) s.event_select(ready_, mask(), {}, ec);
    ss::hand_over_unacknowledged(std::move(s), all[random_() % all.size()].id, {bytes, count}, ec);
    keep(std::move(s));
}

void restless::receive_hand_over()
{
    ss::error_code ec;
    while (auto received = ss::receive_hand_over(segment_, ec)) {
        if (received->bytes != test::carry_pattern(received->tag, received->tag)) std::abort(); // the test sees how it ended
        keep(std::move(received->socket));
    }
}

void restless::connect_to_self()
{
    ss::error_code ec;
    ss::shared_socket listener = ss::shared_socket::listen(segment_, ss::socket_address::loopback(0), ec);
    if (ec) return;
    listener.event_select(ready_, mask(), {}, ec);
    ss::shared_socket client = ss::shared_socket::open(segment_, AF_INET, SOCK_STREAM, 0, ec);
    if (ec) return;
    client.event_select(other_, mask(), {}, ec);
    const ss::socket_address to = listener.local_address(ec);
    if (!ec) client.connect(to, ec);
    listener.set_blocking(false, ec);
    keep(listener.accept(ec));
    keep(std::move(client));
}

} // namespace test
