// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Compositions of Asio over shared sockets, and every token and every type of cancellation for operations other than reads.
#include "asio/cancelling.hpp"
#include "asio/stream_pair.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include <sys/socket.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;
using ss::error_code;
using test::every_type;
using test::expect_cancelled;
using namespace std::chrono_literals;

// Asio's requirements of AsyncReadStream and AsyncWriteStream, SyncReadStream and SyncWriteStream.
template <class Stream>
concept asynchronous_stream = requires(Stream& stream, asio::mutable_buffer room, asio::const_buffer data,
                                       void (*handler)(error_code, std::size_t))
{
    {
        stream.get_executor()
        } -> std::same_as<typename Stream::executor_type>;
    stream.async_read_some(room, handler);
    stream.async_write_some(data, handler);
};
template <class Stream>
concept synchronous_stream = requires(Stream& stream, asio::mutable_buffer room, asio::const_buffer data, error_code& ec)
{
    {
        stream.read_some(room)
        } -> std::same_as<std::size_t>;
    {
        stream.read_some(room, ec)
        } -> std::same_as<std::size_t>;
    {
        stream.write_some(data)
        } -> std::same_as<std::size_t>;
    {
        stream.write_some(data, ec)
        } -> std::same_as<std::size_t>;
};
static_assert(asynchronous_stream<ss::stream> && synchronous_stream<ss::stream>);
static_assert(asynchronous_stream<ss::basic_stream<asio::io_context::executor_type>>);
static_assert(std::is_nothrow_move_constructible_v<ss::stream> && !std::is_copy_constructible_v<ss::stream>);

void rethrow(std::exception_ptr failure)
{
    if (failure) std::rethrow_exception(failure);
}

} // namespace

TEST_CASE("a read or a timer, whichever is first: the loser is cancelled and consumes nothing", "[asio]")
{
    using namespace asio::experimental::awaitable_operators;
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    std::size_t first = 9, second = 9;
    char byte = 0;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            asio::steady_timer timer(io, 1ms);
            first = (co_await (pair.server.async_read_some(asio::buffer(&byte, 1), asio::use_awaitable) ||
                               timer.async_wait(asio::use_awaitable)))
                        .index();
            co_await pair.client.async_write_some(asio::buffer("q", 1), asio::use_awaitable);
            timer.expires_at(asio::steady_timer::time_point::max());
            second = (co_await (pair.server.async_read_some(asio::buffer(&byte, 1), asio::use_awaitable) ||
                                timer.async_wait(asio::use_awaitable)))
                         .index();
        },
        rethrow);
    io.run();
    CHECK(first == 1);
    CHECK(second == 0);
    CHECK(byte == 'q');
}

TEST_CASE("a parallel group of a read on each side ends with the first, and aborts the other", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    char here = 0, there = 0;
    std::array<std::size_t, 2> order{9, 9};
    error_code read, aborted;
    pair.client.write_some(asio::buffer("p", 1));
    asio::experimental::make_parallel_group(pair.client.async_read_some(asio::buffer(&there, 1), asio::deferred),
                                            pair.server.async_read_some(asio::buffer(&here, 1), asio::deferred))
        .async_wait(asio::experimental::wait_for_one(),
                    [&](std::array<std::size_t, 2> completed, error_code one, std::size_t, error_code other, std::size_t) {
                        order   = completed;
                        aborted = one;
                        read    = other;
                    });
    io.run();
    CHECK(order == std::array<std::size_t, 2>{1, 0});
    CHECK(aborted == asio::error::operation_aborted);
    CHECK_FALSE(read);
    CHECK(here == 'p');
}

TEST_CASE("accept and connect complete for every token", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    ss::acceptor acceptor(io, ss::shared_socket::listen(segment, ss::socket_address::loopback(0)));
    const auto address = acceptor.socket().local_address();
    const auto fresh   = [&] { return ss::stream(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM)); };
    const auto run     = [&] {
        io.restart();
        io.run();
    };
    SECTION("a callback")
    {
        ss::stream client   = fresh();
        error_code accepted = asio::error::would_block, connected = accepted;
        acceptor.async_accept([&](error_code ec, ss::stream server) {
            accepted = ec;
            CHECK(server.is_open());
        });
        client.async_connect(address, [&](error_code ec) { connected = ec; });
        run();
        CHECK_FALSE(accepted);
        CHECK_FALSE(connected);
    }
    SECTION("use_future")
    {
        ss::stream client = fresh();
        auto accepted     = acceptor.async_accept(asio::use_future);
        auto connected    = client.async_connect(address, asio::use_future);
        run();
        CHECK(accepted.get().is_open());
        connected.get();
    }
    SECTION("use_awaitable and as_tuple")
    {
        ss::stream client = fresh();
        int done          = 0;
        asio::co_spawn(
            io,
            [&]() -> asio::awaitable<void> {
                const ss::stream server = co_await acceptor.async_accept(asio::use_awaitable);
                done += server.is_open();
            },
            rethrow);
        asio::co_spawn(
            io,
            [&]() -> asio::awaitable<void> {
                const auto [ec] = co_await client.async_connect(address, asio::as_tuple(asio::use_awaitable));
                done += !ec;
            },
            rethrow);
        run();
        CHECK(done == 2);
    }
    SECTION("deferred, which starts nothing before it is launched")
    {
        ss::stream client = fresh();
        auto accepting    = acceptor.async_accept(asio::deferred);
        auto connecting   = client.async_connect(address, asio::deferred);
        io.poll();
        CHECK_FALSE(acceptor.owns_events());
        error_code accepted = asio::error::would_block, connected = accepted;
        std::move(accepting)([&](error_code ec, const ss::stream&) { accepted = ec; });
        std::move(connecting)([&](error_code ec) { connected = ec; });
        run();
        CHECK_FALSE(accepted);
        CHECK_FALSE(connected);
    }
    SECTION("detached")
    {
        ss::stream client = fresh();
        acceptor.async_accept(asio::detached);
        client.async_connect(address, asio::detached);
        run();
        CHECK(client.socket().peer_address() == address);
    }
}

TEST_CASE("every type of cancellation ends an accept, and the next one goes on", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    ss::acceptor acceptor(io, ss::shared_socket::listen(segment, ss::socket_address::loopback(0)));
    for (const auto type : every_type) {
        expect_cancelled(io, type, [&](auto&& token) { acceptor.async_accept(std::move(token)); });
        ss::stream client(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
        client.connect(acceptor.socket().local_address());
        auto accepted = acceptor.async_accept(asio::use_future);
        io.restart();
        io.run();
        CHECK(accepted.get().is_open());
    }
}

TEST_CASE("every type of cancellation ends a wait", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    for (const auto type : every_type)
        expect_cancelled(io, type, [&](auto&& token) { pair.server.async_wait(asio::socket_base::wait_read, std::move(token)); });
}

TEST_CASE("every type of cancellation ends a standing by, and the object still gets a turn later", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    auto owner = ss::shared_socket::redeem(segment, pair.server.socket().duplicate(segment->self()));
    ss::event_object ready;
    owner.event_select(ready, ss::network_event::read);
    for (const auto type : every_type)
        expect_cancelled(io, type, [&](auto&& token) { pair.server.async_stand_by(std::move(token)); });
    auto turn = pair.server.async_stand_by(asio::use_future);
    owner.cancel_registration();
    io.restart();
    io.run();
    turn.get();
    CHECK(pair.server.owns_events());
}

TEST_CASE("every type of cancellation ends a connect that waits", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    for (const auto type : every_type) {
        // A full backlog: the kernel drops further connections, so that an attempt waits.
        auto listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0), 0);
        ss::stream first(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
        first.connect(listener.local_address());
        ss::stream second(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
        expect_cancelled(io, type, [&](auto&& token) { second.async_connect(listener.local_address(), std::move(token)); });
    }
}
