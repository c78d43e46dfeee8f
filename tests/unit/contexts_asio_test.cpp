// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Asio's objects of several processes in one process: streams and acceptors on one io_context that several threads run.
#include "attach/handle.hpp"
#include "support/catch.hpp"
#include "support/peer.hpp"
#include "unit/contexts.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss   = sharedsock;
namespace asio = boost::asio;
using test::manner;

namespace {

constexpr std::size_t count = 3;

void rethrow(std::exception_ptr failure)
{
    if (failure) std::rethrow_exception(failure);
}

// Runs the context in as many threads as there are contexts, until no work is left.
void run(asio::io_context& io)
{
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i)
        threads.emplace_back([&] { io.run(); });
}

struct ledger {
    std::atomic<std::uint64_t> bytes{0}, sum{0}, losses{0};
};

// Reads to the end, and takes the stream back whenever it was taken away.
asio::awaitable<void> read_all(ss::stream stream, ledger& account)
{
    std::array<std::uint8_t, 100> room;
    for (;;) {
        const auto [ec, size] = co_await stream.async_read_some(asio::buffer(room), asio::as_tuple(asio::use_awaitable));
        if (ec == ss::errc::registration_cancelled) {
            account.losses.fetch_add(1);
            account.losses.notify_all();
            continue;
        }
        if (ec == asio::error::eof) co_return;
        if (ec) throw ss::system_error(ec, "read");
        account.bytes.fetch_add(size);
        for (std::size_t i = 0; i < size; ++i)
            account.sum.fetch_add(room[i]);
    }
}

int listen_epoll(ss::turn_acceptor& acceptor)
{
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    acceptor.stand_by(epoll, 1, 2);
    return epoll;
}

int connect_to(const ss::socket_address& address)
{
    const int caller = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(caller, address.data(), address.size()) != 0)
        throw ss::system_error(errno, boost::system::system_category(), "connect");
    return caller;
}

} // namespace

TEST_CASE("streams that take one socket from each other in the threads of a context read every byte once", "[asio][G2][G4]")
{
    constexpr int pieces = 300;
    test::contexts all(GENERATE(manner::apart, manner::together), count);
    test::connection pair(*all.home, AF_INET);
    asio::io_context io(static_cast<int>(count));
    ledger account;
    for (ss::shared_socket& socket : all.handles_to(pair.socket)) {
        const auto strand = asio::make_strand(io);
        asio::co_spawn(strand, read_all(ss::stream(strand, std::move(socket)), account), rethrow);
    }
    std::uint64_t sum = 0;
    for (int i = 0; i < pieces * 100; ++i)
        sum += static_cast<std::uint8_t>(i);
    std::jthread sender([&] {
        account.losses.wait(0); // a stream has been taken from another, whose read was pending
        for (int piece = 0; piece < pieces; ++piece) {
            std::string bytes(100, '\0');
            for (int i = 0; i < 100; ++i)
                bytes[static_cast<std::size_t>(i)] = static_cast<char>(piece * 100 + i);
            pair.say(bytes);
        }
        ::shutdown(pair.peer, SHUT_WR);
    });
    run(io);
    CHECK(account.bytes.load() == pieces * 100);
    CHECK(account.sum.load() == sum);
    CHECK(account.losses.load() >= 1);
}

TEST_CASE("acceptors of all contexts on one io_context accept every connection once", "[asio]")
{
    constexpr std::size_t connections = 40;
    test::contexts all(manner::apart, count, {.sockets = 128, .processes = 32});
    const ss::shared_socket listener = ss::shared_socket::listen(*all.home, ss::socket_address::loopback(0));
    asio::io_context io(static_cast<int>(count));
    std::vector<std::unique_ptr<ss::acceptor>> acceptors;
    std::atomic<std::size_t> accepted{0};
    for (ss::shared_socket& socket : all.handles_to(listener))
        acceptors.push_back(std::make_unique<ss::acceptor>(asio::make_strand(io), std::move(socket)));
    for (auto& one : acceptors)
        asio::co_spawn(
            one->get_executor(),
            [&]() -> asio::awaitable<void> {
                for (;;) {
                    const auto [ec, stream] = co_await one->async_accept(asio::as_tuple(asio::use_awaitable));
                    if (ec == asio::error::operation_aborted) co_return;
                    if (ec) throw ss::system_error(ec, "accept");
                    if (accepted.fetch_add(1) + 1 < connections) continue;
                    for (auto& each : acceptors)
                        asio::post(each->get_executor(), [&] { each->close(); });
                }
            },
            rethrow);
    std::vector<int> callers;
    std::jthread calling([&] {
        for (std::size_t i = 0; i < connections; ++i)
            callers.push_back(connect_to(listener.local_address()));
    });
    run(io);
    calling.join();
    for (const int caller : callers)
        ::close(caller);
    CHECK(accepted.load() == connections);
}

TEST_CASE("turn acceptors in all contexts at once accept every connection once", "[G4]")
{
    constexpr int connections = 60;
    test::contexts all(manner::apart, count, {.sockets = 128, .processes = 32});
    const ss::shared_socket listener = ss::shared_socket::listen(*all.home, ss::socket_address::loopback(0));
    auto listeners                   = all.handles_to(listener);
    std::atomic<int> accepted{0};
    std::vector<int> callers;
    std::jthread calling([&] {
        for (int i = 0; i < connections; ++i)
            callers.push_back(connect_to(listener.local_address()));
    });
    all.run([&](std::size_t i) {
        ss::turn_acceptor acceptor(std::move(listeners[i]), {.batch = 2, .patrol = std::chrono::milliseconds(10)});
        const int epoll = listen_epoll(acceptor);
        const test::deadline end;
        while (accepted.load() < connections && !end.passed()) {
            epoll_event event{};
            if (::epoll_wait(epoll, &event, 1, 10) != 1) continue; // or the others are done
            ss::error_code ec;
            if (event.data.u64 == 2) {
                acceptor.look(ec);
            } else if (const int connection = acceptor.accept_descriptor(ec); connection >= 0) {
                ::close(connection);
                accepted.fetch_add(1);
            }
            if (ec && ec != std::errc::operation_would_block) throw ss::system_error(ec, "accept");
        }
        acceptor.leave();
        ::close(epoll);
    });
    calling.join();
    for (const int caller : callers)
        ::close(caller);
    CHECK(accepted.load() == connections);
    CHECK(listener.handles().size() == 1);
}

TEST_CASE("a bell that is answered while its handle registers is no turn of its own", "[REG-3][ASYNC-8]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    const auto work = asio::make_work_guard(io);
    std::jthread answering([&] { io.run(); });
    struct stopped {
        asio::io_context& io;
        ~stopped() { io.stop(); }
    } const at_the_end{io};
    auto& self                 = *segment->attachment()->member();
    const std::uint32_t socket = pair.socket.impl()->socket().index;
    const std::uint32_t index  = self.self().index;
    std::jthread ringing([&](const std::stop_token& enough) {
        while (!enough.stop_requested())
            self.ring(index, socket);
    });
    constexpr int rounds = 5'000;
    for (int round = 0; round < rounds; ++round)
        ss::async_select(
            pair.socket, io.get_executor(), [](const ss::event_message&) {}, ss::network_event::read);
    const auto now = pair.socket.registration();
    REQUIRE(now);
    CHECK(now->owner == segment->self());
    CHECK(now->epoch >= rounds);
}
