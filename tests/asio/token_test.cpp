// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The operations of an acceptor that complete with an error only, with every completion token.
#include "support/catch.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <exception>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;
using ss::error_code;

/// Starts an operation with each token in turn. It has to wait until `cause`, and to complete then, without an error.
template <class Start>
void expect_for_every_token(asio::io_context& io, Start&& start, const std::function<void()>& cause)
{
    const error_code nothing = asio::error::would_block;
    error_code ec            = nothing;
    const auto record        = [&](error_code result) { ec = result; };
    const auto expect        = [&](const std::string& token, const std::function<void()>& launch) {
        INFO(token);
        ec = nothing;
        io.restart();
        launch();
        io.poll();
        CHECK(ec == nothing);
        CHECK_FALSE(io.stopped()); // the operation waits
        cause();
        io.run();
    };
    const auto spawn = [&](auto&& body) {
        asio::co_spawn(io, std::move(body), [&](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
        });
    };

    expect("a callback", [&] { start(record); });
    CHECK_FALSE(ec);
    std::future<void> future;
    expect("use_future", [&] { future = start(asio::use_future); });
    CHECK_NOTHROW(future.get());
    expect("use_awaitable", [&] {
        spawn([&]() -> asio::awaitable<void> {
            co_await start(asio::use_awaitable);
            ec.clear();
        });
    });
    CHECK_FALSE(ec);
    expect("as_tuple", [&] {
        spawn([&]() -> asio::awaitable<void> {
            const auto [result] = co_await start(asio::as_tuple(asio::use_awaitable));
            ec                  = result;
        });
    });
    CHECK_FALSE(ec);
    expect("deferred", [&] {
        auto later = start(asio::deferred);
        std::move(later)(record);
    });
    CHECK_FALSE(ec);
    expect("detached", [&] { start(asio::detached); });
    CHECK(io.stopped());
}

} // namespace

TEST_CASE("an acceptor's standing by completes with every token", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    auto owner = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    ss::acceptor acceptor(io.get_executor(), ss::shared_socket::redeem(segment, owner.duplicate(segment->self())),
                          ss::by_registration);
    ss::event_object ready;
    expect_for_every_token(
        io,
        [&](auto&& token) {
            owner.event_select(ready, ss::network_event::accept);
            return acceptor.async_stand_by(std::forward<decltype(token)>(token));
        },
        [&] {
            CHECK_FALSE(acceptor.owns_events());
            owner.cancel_registration();
        });
    CHECK(acceptor.owns_events());
}

TEST_CASE("an acceptor's wait completes with every token when a connection comes, and accepts nothing", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    auto listener    = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    const auto port  = listener.local_address().port();
    const auto serve = [&](ss::acceptor& acceptor) {
        std::vector<test::plain_socket> clients;
        expect_for_every_token(
            io,
            [&](auto&& token) {
                while (!clients.empty()) {
                    CHECK(acceptor.accept().is_open()); // the connection is there still
                    clients.pop_back();
                }
                return acceptor.async_wait(asio::socket_base::wait_read, std::forward<decltype(token)>(token));
            },
            [&] { clients.push_back(test::plain_socket::connect(port)); });
        CHECK(acceptor.accept().is_open());
    };
    SECTION("in turn")
    {
        ss::acceptor acceptor(io, std::move(listener));
        serve(acceptor);
    }
    SECTION("by registration")
    {
        ss::acceptor acceptor(io.get_executor(), std::move(listener), ss::by_registration);
        serve(acceptor);
    }
}
