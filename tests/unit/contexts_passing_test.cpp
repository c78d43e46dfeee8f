// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Sockets that go from process to process, with threads as processes: see contexts.hpp.
#include "support/catch.hpp"
#include "unit/contexts.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace ss = sharedsock;
using test::manner;

namespace {

constexpr std::size_t count = 3;

} // namespace

TEST_CASE("tickets made and redeemed in all contexts at once: each is good for one handle", "[DUP-4][G9]")
{
    test::contexts all(manner::apart, count);
    const test::connection pair(*all.home);
    const auto sockets = all.handles_to(pair.socket);
    std::atomic<int> handles{0};
    all.run([&](std::size_t i) {
        for (int round = 0; round < 60; ++round) {
            const std::size_t next      = (i + 1) % count;
            const ss::ticket value      = sockets[i].duplicate(all.segments[next].self());
            const ss::shared_socket own = ss::shared_socket::redeem(all.segments[next], value);
            if (own.id() == pair.socket.id()) handles.fetch_add(1);
            ss::error_code ec;
            ss::shared_socket::redeem(all.segments[next], value, ec);
            if (ec != ss::errc::ticket_used) throw ss::system_error(ec, "a ticket was good twice");
        }
    });
    CHECK(handles.load() == 60 * static_cast<int>(count));
    CHECK(pair.socket.handles().size() == count + 1);
}

TEST_CASE("a ticket that is redeemed and revoked at once has one end", "[DUP-4][DUP-8]")
{
    test::contexts all(GENERATE(manner::apart, manner::together), 2);
    const test::connection pair(*all.home);
    for (int round = 0; round < 60; ++round) {
        const ss::ticket value = pair.socket.duplicate(all.segments[0].self());
        std::atomic<int> redeemed{0}, revoked{0};
        all.run([&](std::size_t i) {
            ss::error_code ec;
            if (i == 0)
                redeemed.fetch_add(ss::shared_socket::redeem(all.segments[0], value, ec).is_open() ? 1 : 0);
            else
                revoked.fetch_add(all.segments[1].revoke(value, ec) ? 1 : 0);
        });
        CHECK(redeemed.load() + revoked.load() == 1);
        CHECK(pair.socket.handles().size() == 1);
    }
}

TEST_CASE("names are given, opened and taken away in all contexts at once, and no handle is left", "[G6]")
{
    test::contexts all(GENERATE(manner::apart, manner::together), count);
    const ss::shared_socket listener = ss::shared_socket::listen(*all.home, ss::socket_address::loopback(0));
    const auto listeners             = all.handles_to(listener);
    std::atomic<int> opened{0};
    {
        const auto serving = all.segments[0].serve_in_thread();
        all.run([&](std::size_t i) {
            for (int round = 0; round < 40; ++round) {
                ss::error_code ec;
                all.segments[i].publish("http", listeners[i], ec);
                if (ec) throw ss::system_error(ec, "publish");
                const ss::shared_socket one = ss::shared_socket::open_published(all.segments[i], "http", ec);
                if (!ec && one.id() == listener.id()) opened.fetch_add(1);
                if (ec && ec != ss::errc::name_not_published) throw ss::system_error(ec, "open_published");
                if (round % 8 == 7) static_cast<void>(all.segments[i].unpublish("http"));
            }
        });
    }
    CHECK(opened.load() >= 1);
    CHECK(listener.handles().size() == count + 1);
}

TEST_CASE("connections go round the contexts, each with its bytes and its tag, and none is lost", "[G8]")
{
    constexpr std::uint64_t connections = 4, hops = 40;
    test::contexts all(manner::apart, count, {.sockets = 64, .processes = 32});
    std::vector<std::unique_ptr<test::connection>> pairs;
    for (std::uint64_t i = 0; i < connections; ++i)
        pairs.push_back(std::make_unique<test::connection>(*all.home));
    std::atomic<std::uint64_t> arrived{0};
    // The tag numbers the connection; each hop adds one byte to the carry, so that late ones travel in memory of their own.
    for (std::uint64_t i = 0; i < connections; ++i)
        ss::hand_over_unacknowledged(std::move(pairs[i]->socket), all.segments[i % count].self(),
                      {std::vector<std::byte>(i == 0 ? 16 * 1024 : 0), i});
    all.run([&](std::size_t i) {
        const ss::segment& here = all.segments[i];
        pollfd waits{ss::hand_over_handle(here), POLLIN, 0};
        const test::deadline end;
        while (arrived.load() < connections && !end.passed()) {
            ::poll(&waits, 1, 10); // or the others are done
            while (auto one = ss::receive_hand_over(here)) {
                const std::size_t hop = one->bytes.size() - (one->tag == 0 ? 16 * 1024 : 0);
                if (one->bytes.size() > 0 && hop > 0 && one->bytes.back() != std::byte(hop))
                    throw std::runtime_error("other bytes");
                if (hop == hops) {
                    one->socket.send(std::to_string(one->tag));
                    arrived.fetch_add(1);
                    continue; // the last handle closes
                }
                one->bytes.push_back(std::byte(hop + 1));
                ss::hand_over_unacknowledged(std::move(one->socket), all.segments[(i + 1) % count].self(), {one->bytes, one->tag});
            }
        }
    });
    CHECK(arrived.load() == connections);
    for (std::uint64_t i = 0; i < connections; ++i) {
        char said[8];
        REQUIRE(::recv(pairs[i]->peer, said, sizeof said, MSG_DONTWAIT) == 1);
        CHECK(said[0] == static_cast<char>('0' + i));
        CHECK(::recv(pairs[i]->peer, said, sizeof said, MSG_DONTWAIT) == 0); // closed
    }
}
