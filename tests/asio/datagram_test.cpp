// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Datagrams in one process: whole and with their sender, after a cancellation, and after the socket's events were lost.
#include "asio/cancelling.hpp"
#include "asio/outcome.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/use_future.hpp>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include <sys/socket.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;
using ss::error_code;
using test::every_type;
using test::expect_cancelled;
using test::outcome;

ss::shared_socket bound(const ss::segment& where)
{
    auto socket = ss::shared_socket::open(where, AF_INET, SOCK_DGRAM);
    socket.bind(ss::socket_address::loopback(0));
    return socket;
}

void run(asio::io_context& io)
{
    io.restart();
    io.run();
}

} // namespace

TEST_CASE("datagrams come whole, with their sender", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    ss::datagram here(io, bound(segment)), there(io, bound(segment));
    char room[16];
    ss::socket_address from;
    outcome read, empty, sent;
    here.async_receive_from(asio::buffer(room), from, read.record());
    there.async_send_to(asio::buffer("data", 4), here.socket().local_address(), sent.record());
    io.run();
    CHECK(sent.bytes == 4);
    CHECK(read.bytes == 4);
    CHECK(from == there.socket().local_address());
    io.restart();
    asio::ip::udp::endpoint who;
    here.async_receive_from(asio::buffer(room), who, empty.record());
    there.send_to(asio::const_buffer(), here.socket().local_address());
    io.run();
    CHECK(empty.calls == 1);
    CHECK_FALSE(empty.ec); // an empty datagram is no end
    CHECK(who.port() == there.socket().local_address().port());
}

TEST_CASE("every type of cancellation ends a receive of a datagram, and the next receive has the next datagram", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    ss::datagram here(io, bound(segment));
    ss::datagram there(io, bound(segment));
    const auto address = here.socket().local_address();
    char room[16];
    ss::socket_address from;
    for (const auto type : every_type) {
        expect_cancelled(io, type, [&](auto&& token) { here.async_receive(asio::buffer(room), std::move(token)); });
        there.send_to(asio::buffer("one", 3), address);
        auto plain = here.async_receive(asio::buffer(room), asio::use_future);
        run(io);
        CHECK(plain.get() == 3);

        expect_cancelled(io, type, [&](auto&& token) { here.async_receive_from(asio::buffer(room), from, std::move(token)); });
        there.send_to(asio::buffer("three", 5), address);
        auto with_sender = here.async_receive_from(asio::buffer(room), from, asio::use_future);
        run(io);
        CHECK(with_sender.get() == 5);
        CHECK(from == there.socket().local_address());
    }
}

TEST_CASE("every type of cancellation ends a send of a datagram that waits for room, and nothing of it is sent", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_UNIX, SOCK_DGRAM);
    asio::io_context io;
    ss::datagram here(io, std::move(pair.socket));
    int fits = 0;
    while (::send(here.native_handle(), "fits", 4, MSG_DONTWAIT) == 4)
        ++fits;
    REQUIRE(errno == EAGAIN);
    for (const auto type : every_type)
        expect_cancelled(io, type, [&](auto&& token) { here.async_send(asio::buffer("late", 4), std::move(token)); });

    char room[8];
    for (int i = 0; i < fits; ++i)
        CHECK(std::string(room, static_cast<std::size_t>(::recv(pair.peer, room, sizeof room, 0))) == "fits");
    CHECK(::recv(pair.peer, room, sizeof room, MSG_DONTWAIT) < 0);
    auto next = here.async_send(asio::buffer("next", 4), asio::use_future);
    run(io);
    CHECK(next.get() == 4);
    CHECK(::recv(pair.peer, room, sizeof room, 0) == 4);
    CHECK(std::string(room, 4) == "next");
}

TEST_CASE("a process that has lost a datagram socket answers received datagrams, and takes nothing back by that", "[asio][G2][G3]")
{
    test::scratch_segment segment;
    asio::io_context io;
    ss::datagram first(io, bound(segment));
    ss::datagram client(io, bound(segment));
    ss::datagram second(io, ss::shared_socket::redeem(segment, first.socket().duplicate(segment->self())));
    char room[16];
    ss::socket_address from;
    client.send_to(asio::buffer("question", 8), first.socket().local_address());
    auto question = first.async_receive_from(asio::buffer(room), from, asio::use_future);
    run(io);
    REQUIRE(question.get() == 8);
    error_code lost = asio::error::would_block;
    first.async_receive_from(asio::buffer(room), from, [&](error_code ec, std::size_t) { lost = ec; });
    ss::socket_address asked = from;
    second.take_over();
    run(io);
    CHECK(lost == ss::errc::registration_cancelled);

    CHECK(first.send_to(asio::buffer("answer", 6), asked) == 6);
    CHECK(client.receive_from(asio::buffer(room), from) == 6);
    CHECK(from == first.socket().local_address());
    CHECK(second.owns_events());
    CHECK_FALSE(first.owns_events());
}
