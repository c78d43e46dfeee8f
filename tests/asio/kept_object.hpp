// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "asio/outcome.hpp"
#include "support/deadline.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace test {

// The three kinds of objects whose operations run under a registration: `begin` starts an operation that waits, `feed` makes one
// thing come that ends one operation.

struct kept_stream {
    kept_stream(boost::asio::io_context& io, sharedsock::segment& where) : pair(where), object(io, std::move(pair.socket)) {}
    void begin(outcome& into) { object.async_read_some(boost::asio::buffer(room), into.record()); }
    void feed() { pair.say("x"); }

    static constexpr auto event = sharedsock::network_event::read;
    connection pair;
    sharedsock::stream object;
    char room[1];
};

struct kept_datagram {
    kept_datagram(boost::asio::io_context& io, sharedsock::segment& where)
        : pair(where, AF_UNIX, SOCK_DGRAM), object(io, std::move(pair.socket))
    {}
    void begin(outcome& into) { object.async_receive(boost::asio::buffer(room), into.record()); }
    void feed() { pair.say("x"); }

    static constexpr auto event = sharedsock::network_event::read;
    connection pair;
    sharedsock::datagram object;
    char room[8];
};

struct kept_acceptor {
    kept_acceptor(boost::asio::io_context& io, sharedsock::segment& where)
        : object(io.get_executor(), sharedsock::shared_socket::listen(where, sharedsock::socket_address::loopback(0)),
                 sharedsock::by_registration)
    {}
    void begin(outcome& into)
    {
        object.async_accept([record = into.record()](sharedsock::error_code ec, const sharedsock::stream&) { record(ec, 0); });
    }
    void feed() { clients.push_back(plain_socket::connect(port)); }

    static constexpr auto event = sharedsock::network_event::accept;
    sharedsock::acceptor object;
    const std::uint16_t port = object.socket().local_address().port();
    std::vector<plain_socket> clients;
};

/// One of them, and a rival: a handle of another attachment to the segment, which is another process to the library.
template <class Kind>
struct kept_scene {
    explicit kept_scene(sharedsock::segment_options options = {.sockets = 64, .processes = 32}) : home(std::move(options)) {}

    /// Lets the context run its ready handlers.
    void settle()
    {
        io.restart();
        const auto work = boost::asio::make_work_guard(io); // a registration is none, and poll does nothing without any
        io.poll();
    }
    bool ended(const outcome& one)
    {
        return runs_until([&] { return one.calls != 0; });
    }
    template <class Done>
    bool runs_until(Done done)
    {
        io.restart();
        const auto work = boost::asio::make_work_guard(io); // as in `settle`
        for (const deadline end(patience); !done() && !end.passed();)
            io.run_one_for(std::chrono::milliseconds(50));
        return done();
    }
    bool owns()
    {
        const auto now = kept.object.socket().registration();
        return kept.object.owns_events() && now && now->handle == kept.object.socket().handle_id();
    }
    /// Whether a pending operation goes on: it has not ended, and ends with the next thing that comes.
    bool goes_on(outcome& pending)
    {
        settle();
        if (pending.calls != 0 || !owns()) return false;
        kept.feed();
        return ended(pending) && !pending.ec && pending.calls == 1 && owns();
    }
    /// Whether the next operation, and the one after it, waits and ends with the next thing that comes.
    bool lives()
    {
        outcome next, after;
        kept.begin(next);
        if (!goes_on(next)) return false;
        kept.begin(after);
        return goes_on(after);
    }
    bool is_told(outcome& pending)
    {
        return ended(pending) && pending.ec == sharedsock::errc::registration_cancelled && pending.calls == 1;
    }
    bool next_is_told()
    {
        outcome next;
        kept.begin(next);
        return is_told(next);
    }
    /// An operation that waits.
    void begin(outcome& pending)
    {
        kept.begin(pending);
        settle();
    }

    boost::asio::io_context io;
    scratch_segment home;
    sharedsock::segment elsewhere = sharedsock::segment::open(home.name(), home.options());
    Kind kept{io, home};
    sharedsock::shared_socket rival =
        sharedsock::shared_socket::redeem(elsewhere, kept.object.socket().duplicate(elsewhere.self()));
    sharedsock::event_object its;
};

} // namespace test
