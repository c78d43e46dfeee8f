// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A stream in one process, in the shape of Asio's own tests of its sockets.
#include "asio/outcome.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace asio = boost::asio;
namespace ss   = sharedsock;
using ss::error_code;
using test::outcome;

TEST_CASE("a read completes with the bytes that have come, and a write with the count of bytes taken", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    ss::stream stream(io, std::move(pair.socket));
    char room[16] = {};
    outcome read;
    stream.async_read_some(asio::buffer(room), read.record());
    CHECK(read.calls == 0); // never inside the initiating function
    io.poll();
    CHECK(read.calls == 0); // nothing has come
    pair.say("hello");
    io.run();
    CHECK(read.calls == 1);
    CHECK_FALSE(read.ec);
    CHECK(std::string(room, read.bytes) == "hello");

    outcome write;
    io.restart();
    stream.async_write_some(asio::buffer("reply", 5), write.record());
    CHECK(write.calls == 0);
    io.run();
    CHECK(write.bytes == 5);
    char got[5];
    CHECK(::recv(pair.peer, got, 5, MSG_WAITALL) == 5);
    CHECK(std::string(got, 5) == "reply");
}

TEST_CASE("the orderly end is eof, and a reset an error for every read that follows", "[asio][STATE-9]")
{
    test::scratch_segment segment;
    asio::io_context io;
    char byte;
    {
        test::connection pair(segment, AF_INET);
        ss::stream stream(io, std::move(pair.socket));
        pair.close_peer();
        outcome read;
        stream.async_read_some(asio::buffer(&byte, 1), read.record());
        io.run();
        CHECK(read.ec == asio::error::eof);
    }
    io.restart();
    test::connection pair(segment, AF_INET);
    ss::stream stream(io, std::move(pair.socket));
    outcome first, second;
    stream.async_read_some(asio::buffer(&byte, 1), first.record());
    io.poll();
    pair.reset_peer();
    io.run();
    CHECK(first.ec == asio::error::connection_reset);
    io.restart();
    stream.async_read_some(asio::buffer(&byte, 1), second.record());
    io.run();
    CHECK(second.ec == asio::error::connection_reset);
}

TEST_CASE("empty buffers complete at once, several are scattered and gathered", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    ss::stream stream(io, std::move(pair.socket));
    outcome nothing;
    stream.async_read_some(asio::mutable_buffer(), nothing.record());
    io.run();
    CHECK(nothing.calls == 1);
    CHECK_FALSE(nothing.ec);
    CHECK(nothing.bytes == 0);

    io.restart();
    std::string head(3, ' '), tail(8, ' ');
    const std::array<asio::mutable_buffer, 2> both{asio::buffer(head), asio::buffer(tail)};
    outcome read;
    pair.say("abcdef");
    stream.async_read_some(both, read.record());
    io.run();
    CHECK(read.bytes == 6);
    CHECK(head + tail.substr(0, 3) == "abcdef");
    io.restart();
    const std::vector<asio::const_buffer> parts{asio::buffer("one", 3), asio::buffer("two", 3)};
    outcome write;
    stream.async_write_some(parts, write.record());
    io.run();
    CHECK(write.bytes == 6);
}

TEST_CASE("all three types of cancellation end a pending operation without effect", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    ss::stream stream(io, std::move(pair.socket));
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
        asio::cancellation_signal signal;
        char byte = 0;
        outcome cancelled, other;
        io.restart();
        stream.async_read_some(asio::buffer(&byte, 1), asio::bind_cancellation_slot(signal.slot(), cancelled.record()));
        stream.async_write_some(asio::buffer("x", 1), other.record());
        io.poll();
        CHECK(other.calls == 1); // another operation is not concerned
        signal.emit(type);
        CHECK(cancelled.calls == 0); // not inside of emit
        io.run();
        CHECK(cancelled.calls == 1);
        CHECK(cancelled.ec == asio::error::operation_aborted);
        pair.say("z");
        CHECK(stream.read_some(asio::buffer(&byte, 1)) == 1);
        CHECK(byte == 'z');
        signal.emit(type); // too late: no operation is pending
    }
}

TEST_CASE("cancel, close and destruction complete pending operations with operation_aborted", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    char byte;
    for (const std::string how : {"cancel", "close", "destroy", "move"}) {
        INFO(how);
        io.restart();
        test::connection pair(segment, AF_INET);
        std::optional<ss::stream> stream(std::in_place, io, std::move(pair.socket));
        outcome read;
        stream->async_read_some(asio::buffer(&byte, 1), read.record());
        io.poll();
        if (how == "cancel") stream->cancel();
        if (how == "close") stream->close();
        if (how == "destroy") stream.reset();
        if (how == "move") *stream = ss::stream(io.get_executor());
        CHECK(read.calls == 0);
        io.run();
        CHECK(read.calls == 1);
        CHECK(read.ec == asio::error::operation_aborted);
        if (how == "cancel") CHECK(stream->is_open());
        if (how != "cancel") CHECK(::recv(pair.peer, &byte, 1, 0) == 0); // closed
    }
}

TEST_CASE("an operation on a closed stream fails", "[asio]")
{
    asio::io_context io;
    ss::stream stream(io.get_executor());
    CHECK_FALSE(stream.is_open());
    char byte;
    outcome read;
    stream.async_read_some(asio::buffer(&byte, 1), read.record());
    io.run();
    CHECK(read.ec == ss::errc::closed_handle);
    error_code ec;
    stream.read_some(asio::buffer(&byte, 1), ec);
    CHECK(ec == ss::errc::closed_handle);
    stream.close(ec);
    CHECK_FALSE(ec);
}

TEST_CASE("a context that is destroyed destroys the handlers of pending operations", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    char byte;
    const auto witness = std::make_shared<int>();
    std::optional<asio::io_context> io(std::in_place);
    {
        auto stream = std::make_shared<ss::stream>(*io, std::move(pair.socket));
        stream->async_read_some(asio::buffer(&byte, 1), [stream, witness](error_code, std::size_t) { FAIL(); });
        stream->async_stand_by([stream, witness](error_code) {});
    }
    io->poll();
    CHECK(witness.use_count() > 1);
    io.reset();
    CHECK(witness.use_count() == 1);
    CHECK(::recv(pair.peer, &byte, 1, 0) == 0); // the socket closed with them
}

TEST_CASE("composed operations of Asio work on a stream", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    ss::stream stream(io, std::move(pair.socket));
    constexpr std::size_t size = 3'000'000; // more than the socket's buffers
    std::string sent(size, ' ');
    for (std::size_t i = 0; i < size; ++i)
        sent[i] = static_cast<char>('a' + i % 23);
    outcome write;
    asio::async_write(stream, asio::buffer(sent), write.record());
    std::string got(size, '\0');
    std::thread reader([&] {
        for (std::size_t done = 0; done < size;) {
            const ssize_t n = ::recv(pair.peer, got.data() + done, size - done, 0);
            if (n <= 0) break;
            done += static_cast<std::size_t>(n);
        }
        pair.say("line\nrest");
    });
    io.run();
    reader.join();
    CHECK(write.bytes == size);
    CHECK(got == sent);
    std::string text;
    outcome until;
    io.restart();
    asio::async_read_until(stream, asio::dynamic_buffer(text), '\n', until.record());
    io.run();
    CHECK(until.bytes == 5);
    CHECK(text.substr(0, 5) == "line\n");
}

TEST_CASE("waiting for readiness consumes nothing", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    ss::stream stream(io, std::move(pair.socket));
    int readable = 0, writable = 0;
    stream.async_wait(asio::socket_base::wait_read, [&](error_code ec) { readable += !ec; });
    stream.async_wait(asio::socket_base::wait_write, [&](error_code ec) { writable += !ec; });
    io.poll();
    CHECK(readable == 0);
    CHECK(writable == 1);
    pair.say("a");
    io.run();
    CHECK(readable == 1);
    char byte;
    CHECK(stream.read_some(asio::buffer(&byte, 1)) == 1);
}

TEST_CASE("connect tells success and refusal, and a second attempt is a new one", "[asio][STATE-5]")
{
    test::scratch_segment segment;
    asio::io_context io;
    ss::acceptor acceptor(io, ss::shared_socket::listen(segment, ss::socket_address::loopback(0)));
    const auto address = acceptor.socket().local_address();
    ss::socket_address nobody;
    {
        auto gone = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
        nobody    = gone.local_address();
    }
    ss::stream stream(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
    error_code first = asio::error::would_block, second = first;
    stream.async_connect(nobody, [&](error_code ec) {
        first = ec;
        stream.async_connect(address, [&](error_code again) { second = again; });
    });
    std::optional<ss::stream> accepted;
    acceptor.async_accept([&](error_code ec, ss::stream one) {
        CHECK_FALSE(ec);
        accepted = std::move(one);
    });
    io.run();
    CHECK(first == asio::error::connection_refused);
    CHECK_FALSE(second);
    REQUIRE(accepted);
    CHECK(accepted->socket().peer_address() == stream.socket().local_address());
    CHECK(stream.write_some(asio::buffer("hi", 2)) == 2);
    char room[2];
    CHECK(accepted->read_some(asio::buffer(room)) == 2);

    ss::stream at_once(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
    at_once.connect(address);
    CHECK(acceptor.accept().is_open());
}
