// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Boost.Beast on shared sockets, unchanged: HTTP and WebSocket, as its documentation has them.
#include "asio/cancelling.hpp"
#include "asio/stream_pair.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio/beast.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <chrono>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace {

namespace asio      = boost::asio;
namespace beast     = boost::beast;
namespace http      = boost::beast::http;
namespace websocket = boost::beast::websocket;
namespace ss        = sharedsock;
using ss::error_code;

static_assert(beast::is_async_stream<ss::stream>::value);
static_assert(beast::is_sync_stream<ss::stream>::value);
static_assert(std::is_same_v<beast::executor_type<ss::stream>, asio::any_io_executor>);
static_assert(std::is_same_v<beast::lowest_layer_type<websocket::stream<ss::stream>>, ss::stream>);

void rethrow(std::exception_ptr failure)
{
    if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> answer_requests(ss::stream& stream, int& answered)
{
    beast::flat_buffer buffer;
    for (;;) {
        http::request<http::string_body> request;
        const auto [ec, size] = co_await http::async_read(stream, buffer, request, asio::as_tuple(asio::use_awaitable));
        if (ec == http::error::end_of_stream) co_return;
        if (ec) throw ss::system_error(ec);
        http::response<http::string_body> response(http::status::ok, request.version());
        response.body() = request.body() + " of " + std::string(request.target());
        response.prepare_payload();
        co_await http::async_write(stream, response, asio::use_awaitable);
        ++answered;
    }
}

asio::awaitable<std::string> request(ss::stream& stream, beast::flat_buffer& buffer, const std::string& target,
                                     const std::string& body)
{
    http::request<http::string_body> question(http::verb::post, target, 11);
    question.set(http::field::host, "localhost");
    question.body() = body;
    question.prepare_payload();
    co_await http::async_write(stream, question, asio::use_awaitable);
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, asio::use_awaitable);
    co_return response.body();
}

asio::awaitable<void> echo_messages(websocket::stream<ss::stream>& socket, error_code& end)
{
    co_await socket.async_accept(asio::use_awaitable);
    for (;;) {
        beast::flat_buffer message;
        const auto [ec, size] = co_await socket.async_read(message, asio::as_tuple(asio::use_awaitable));
        end                   = ec;
        if (ec) co_return;
        socket.text(socket.got_text());
        co_await socket.async_write(message.data(), asio::use_awaitable);
    }
}

} // namespace

TEST_CASE("HTTP requests and answers of Beast go over a shared stream, several on one connection", "[asio][beast]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    const std::string large(1'000'000, 'x'); // more than fits in the socket's buffers
    int answered = 0;
    std::string first, second;
    asio::co_spawn(io, answer_requests(pair.server, answered), rethrow);
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            beast::flat_buffer buffer;
            first  = co_await request(pair.client, buffer, "/a", "body");
            second = co_await request(pair.client, buffer, "/b", large);
            pair.client.close();
        },
        rethrow);
    io.run();
    CHECK(answered == 2);
    CHECK(first == "body of /a");
    CHECK(second == large + " of /b");
}

TEST_CASE("a WebSocket of Beast runs over a shared stream, and its end closes both handles", "[asio][beast]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    websocket::stream<ss::stream> server(std::move(pair.server));
    websocket::stream<ss::stream> client(std::move(pair.client));
    const std::string large(300'000, 'y');
    error_code server_end;
    std::string heard;
    asio::co_spawn(io, echo_messages(server, server_end), rethrow);
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            co_await client.async_handshake("localhost", "/", asio::use_awaitable);
            for (const std::string& text : {std::string("hello"), large}) {
                beast::flat_buffer answer;
                co_await client.async_write(asio::buffer(text), asio::use_awaitable);
                co_await client.async_read(answer, asio::use_awaitable);
                heard += beast::buffers_to_string(answer.data());
            }
            co_await client.async_close(websocket::close_code::normal, asio::use_awaitable);
        },
        rethrow);
    io.run();
    CHECK(heard == "hello" + large);
    CHECK(server_end == websocket::error::closed);
    CHECK(server.reason().code == websocket::close_code::normal);
    CHECK_FALSE(server.next_layer().is_open());
    CHECK_FALSE(client.next_layer().is_open());
}

TEST_CASE("the WebSocket's time-out closes the handle, and pending operations end", "[asio][beast]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    websocket::stream<ss::stream> server(std::move(pair.server));
    server.set_option(websocket::stream_base::timeout{std::chrono::milliseconds(20), websocket::stream_base::none(), false});
    error_code accepted;
    server.async_accept([&](error_code ec) { accepted = ec; }); // of a client that sends nothing
    io.run();
    CHECK(accepted == beast::error::timeout);
    CHECK_FALSE(server.next_layer().is_open());
    char byte = 0;
    pair.client.read_some(asio::buffer(&byte, 1), accepted);
    CHECK(accepted == asio::error::eof);
}

TEST_CASE("the tear-down of a connection reads the bytes that the peer had on their way, and closes", "[asio][beast]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    error_code ec = asio::error::would_block;
    asio::write(pair.client, asio::buffer(std::string(10'000, 'z')));
    pair.client.shutdown(asio::socket_base::shutdown_send);
    SECTION("synchronously") { teardown(beast::role_type::server, pair.server, ec); }
    SECTION("asynchronously")
    {
        async_teardown(beast::role_type::server, pair.server, [&](error_code done) { ec = done; });
        CHECK(ec == asio::error::would_block); // not inside the initiating function
        io.run();
    }
    CHECK_FALSE(ec);
    CHECK_FALSE(pair.server.is_open());
    char byte = 0;
    pair.client.read_some(asio::buffer(&byte, 1), ec);
    CHECK(ec == asio::error::eof); // not a reset, as after a close with data unread
}

TEST_CASE("every type of cancellation ends a tear-down half way, and the connection is still there to close", "[asio][beast]")
{
    test::scratch_segment segment;
    asio::io_context io;
    const auto role = GENERATE(beast::role_type::server, beast::role_type::client);
    for (const auto type : test::every_type) {
        test::stream_pair pair(io, segment);
        asio::write(pair.client, asio::buffer(std::string(10'000, 'z'))); // the operation reads it before it waits
        test::expect_cancelled(io, type, [&](auto&& token) { async_teardown(role, pair.server, std::move(token)); });
        CHECK(pair.server.is_open());
        pair.server.close();
        char byte = 0;
        error_code ec;
        pair.client.read_some(asio::buffer(&byte, 1), ec);
        CHECK(ec == asio::error::eof);
    }
}

TEST_CASE("a WebSocket's close is cancelled while it waits for the end of a peer that has said good-bye", "[asio][beast]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    websocket::stream<ss::stream> server(std::move(pair.server));
    websocket::stream<ss::stream> client(std::move(pair.client));
    error_code accepted = asio::error::would_block, greeted = accepted;
    server.async_accept([&](error_code ec) { accepted = ec; });
    client.async_handshake("localhost", "/", [&](error_code ec) { greeted = ec; });
    io.run();
    REQUIRE_FALSE(accepted);
    REQUIRE_FALSE(greeted);
    const unsigned char good_bye[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}; // a close frame; the connection stays open
    asio::write(client.next_layer(), asio::buffer(good_bye));
    test::expect_cancelled(io, asio::cancellation_type::terminal,
                           [&](auto&& token) { server.async_close(websocket::close_code::normal, std::move(token)); });
    CHECK(server.reason().code == websocket::close_code::normal);
    CHECK(server.next_layer().is_open());
}
