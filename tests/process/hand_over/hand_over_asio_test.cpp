// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Hand-overs as asynchronous operations: tokens, executors, allocators, cancellation, full mailboxes.
#include "process/shared_stream.hpp"
#include "support/carry_pattern.hpp"
#include "support/eventually.hpp"

#include <sharedsock/asio/hand_over.hpp>
#include <sharedsock/hand_over.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace ss   = sharedsock;
namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::carry_line;
using test::carry_pattern;
using test::id_of;
using test::records_in_use;
using test::shared_stream;

namespace {

// Runs until `done`, or until the test's patience ends.
template <class Condition>
bool run_until(asio::io_context& io, Condition done)
{
    io.restart();
    for (const test::deadline end; !done() && !end.passed();)
        io.run_one_for(10ms);
    return done();
}

// Sends hand-overs of nothing until the mailbox takes no more. The peers' ends stay open.
std::vector<test::plain_socket> fill(ss::segment& segment, ss::process_id target)
{
    std::vector<test::plain_socket> peers;
    for (ss::error_code ec; !ec;) {
        shared_stream s(segment);
        ss::hand_over_unacknowledged(std::move(s.socket), target, {}, ec);
        if (!ec) peers.push_back(std::move(s.x));
        if (ec) REQUIRE(ec == ss::errc::mailbox_full);
    }
    return peers;
}

template <class Type>
struct counting_allocator {
    using value_type = Type;
    explicit counting_allocator(int& live) : count(&live) {}
    template <class Other>
    counting_allocator(const counting_allocator<Other>& other) : count(other.count)
    {}
    Type* allocate(std::size_t size)
    {
        *count += 1'000 + 1; // how often, and how many live
        return std::allocator<Type>().allocate(size);
    }
    void deallocate(Type* where, std::size_t size)
    {
        *count -= 1;
        std::allocator<Type>().deallocate(where, size);
    }
    template <class Other>
    bool operator==(const counting_allocator<Other>& other) const
    {
        return count == other.count;
    }
    int* count;
};

} // namespace

TEST_CASE("a hand-over is awaited at both ends, and completes with the socket, the bytes and the tag", "[G8][asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    shared_stream s(segment);
    const std::size_t count = GENERATE(std::size_t{0}, std::size_t{1'000}, std::size_t{1'000'000});
    const auto bytes        = carry_pattern(8, count);
    std::optional<ss::handed_over> received;
    co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            received = co_await ss::async_receive_hand_over(segment, io.get_executor(), asio::use_awaitable);
        },
        asio::detached);
    co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            co_await ss::async_hand_over(s.socket, segment->self(), {bytes, 8}, io.get_executor(), asio::use_awaitable);
            CHECK_FALSE(s.socket.is_open());
        },
        asio::detached);
    io.run_for(test::patience);
    REQUIRE(received);
    CHECK(received->tag == 8);
    CHECK(received->bytes == bytes);
    CHECK(received->from == segment->self());
    CHECK(received->socket.send("x") == 1);
    CHECK(s.x.receive(1) == "x");
}

TEST_CASE("a hand-over can be awaited with any completion token", "[G8][asio]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    asio::thread_pool pool(1);
    shared_stream s(segment);

    const auto first = carry_pattern(1, 5);
    auto given       = ss::async_hand_over(s.socket, id_of(segment, b), {first, 1}, pool.get_executor(), asio::use_future);
    CHECK(b.ask("wait_hand_over h") == carry_line(1, 5));
    given.get();
    CHECK_THROWS_AS(ss::async_hand_over(s.socket, id_of(segment, b), {}, pool.get_executor(), asio::use_future).get(),
                    ss::system_error);

    auto one = ss::async_receive_hand_over(segment, pool.get_executor(), asio::use_future);
    REQUIRE(b.ask("hand_over_unacknowledged h " + std::to_string(::getpid()) + " 2 6") == "ok");
    ss::handed_over back = one.get();
    CHECK(back.bytes == carry_pattern(2, 6));

    const auto later = ss::async_hand_over(back.socket, id_of(segment, b), {}, pool.get_executor(), asio::deferred);
    CHECK(b.ask("receive_hand_over h") == "none"); // nothing yet
    std::promise<ss::error_code> told;
    std::move(later)([&](ss::error_code ec) { told.set_value(ec); });
    CHECK(b.ask("wait_hand_over h") == carry_line(0, 0));
    CHECK_FALSE(told.get_future().get());

    auto tag = co_spawn(
        pool,
        [&]() -> asio::awaitable<std::uint64_t> {
            auto [ec, third] =
                co_await ss::async_receive_hand_over(segment, pool.get_executor(), asio::as_tuple(asio::use_awaitable));
            co_return ec ? 0 : third.tag;
        },
        asio::use_future);
    REQUIRE(b.ask("hand_over_unacknowledged h " + std::to_string(::getpid()) + " 3 7") == "ok");
    CHECK(tag.get() == 3);
    pool.join();
}

TEST_CASE("the handler of a hand-over runs on its own executor with its own memory, and never within the initiating call",
          "[G8][asio]")
{
    test::scratch_segment segment;
    asio::io_context io, its_own;
    auto strand = asio::make_strand(its_own);
    shared_stream s(segment);
    int memory = 0, handed = 0, received = 0;
    const auto bind = [&](auto handler) {
        return asio::bind_executor(strand, asio::bind_allocator(counting_allocator<char>(memory), std::move(handler)));
    };
    ss::async_hand_over(s.socket, segment->self(), {}, io.get_executor(), bind([&](ss::error_code ec) {
                            CHECK_FALSE(ec);
                            CHECK(strand.running_in_this_thread());
                            ++handed;
                        }));
    ss::async_receive_hand_over(segment, io.get_executor(), bind([&](ss::error_code ec, const ss::handed_over& one) {
                                    CHECK_FALSE(ec);
                                    CHECK(one.socket.is_open());
                                    CHECK(strand.running_in_this_thread());
                                    ++received;
                                }));
    CHECK(handed + received == 0);
    CHECK(memory > 1'000); // the handler's allocator was asked
    for (const test::deadline end; handed + received < 2 && !end.passed();) {
        io.run_for(1ms);
        io.restart();
        its_own.run_for(1ms); // pending operations are work of both
        CHECK((handed + received == 2 || !its_own.stopped()));
        its_own.restart();
    }
    CHECK(handed + received == 2);
    CHECK(memory % 1'000 == 0); // all memory was given back
}

TEST_CASE("waiting for a hand-over is cancelled by any type of cancellation, and takes nothing from the mailbox", "[G8][asio]")
{
    test::scratch_segment segment;
    asio::io_context io;
    asio::cancellation_signal signal;
    std::optional<ss::error_code> ended;
    const auto begin = [&] {
        ended.reset();
        ss::async_receive_hand_over(
            segment, io.get_executor(),
            asio::bind_cancellation_slot(signal.slot(), [&](ss::error_code ec, const ss::handed_over& none) {
                ended = ec;
                CHECK(none.socket.is_open() == !ec);
            }));
    };
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total);
    shared_stream s(segment);
    SECTION("before it begins")
    {
        ss::hand_over_unacknowledged(std::move(s.socket), segment->self(), {});
        begin();
        signal.emit(type);
        REQUIRE(run_until(io, [&] { return ended.has_value(); }));
        CHECK(*ended == asio::error::operation_aborted);
    }
    SECTION("while it waits")
    {
        begin();
        io.run_for(5ms);
        signal.emit(type);
        REQUIRE(run_until(io, [&] { return ended.has_value(); }));
        CHECK(*ended == asio::error::operation_aborted);
        ss::hand_over_unacknowledged(std::move(s.socket), segment->self(), {});
    }
    begin();
    REQUIRE(run_until(io, [&] { return ended.has_value(); }));
    CHECK_FALSE(*ended); // the hand-over was still there
}

TEST_CASE("an asynchronous hand-over waits while the mailbox is full, and arrives when there is room", "[G8][asio]")
{
    test::scratch_segment segment({.sockets = 2'000, .processes = 8});
    test::peer b(segment.name());
    asio::io_context io;
    b.process().stop();
    auto peers = fill(segment, id_of(segment, b));
    shared_stream s(segment);
    const auto bytes = carry_pattern(5, GENERATE(10u, 100'000u));
    std::optional<ss::error_code> ended;
    asio::cancellation_signal signal;
    ss::async_hand_over(s.socket, id_of(segment, b), {bytes, 5}, io.get_executor(),
                        asio::bind_cancellation_slot(signal.slot(), [&](ss::error_code ec) { ended = ec; }));
    io.run_for(20ms);
    CHECK_FALSE(ended);
    CHECK(s.socket.is_open());

    SECTION("room")
    {
        b.process().resume();
        for (std::size_t i = 0; i < peers.size(); ++i)
            REQUIRE(b.ask("receive_hand_over h") == carry_line(0, 0));
        b.process().tell("wait_hand_over h");
        REQUIRE(run_until(io, [&] { return ended.has_value(); }));
        CHECK_FALSE(*ended);
        CHECK_FALSE(s.socket.is_open());
        CHECK(b.process().line() == carry_line(5, bytes.size()));
        CHECK(talk(b, s.x));
    }
    SECTION("cancelled")
    {
        signal.emit(asio::cancellation_type::total);
        REQUIRE(run_until(io, [&] { return ended.has_value(); }));
        CHECK(*ended == asio::error::operation_aborted);
        CHECK(s.socket.send("still ours") == 10);
        CHECK(records_in_use(segment) == peers.size() + 1);
    }
    SECTION("the target dies")
    {
        end(b);
        REQUIRE(run_until(io, [&] { return ended.has_value(); }));
        CHECK(*ended == ss::errc::target_gone);
        CHECK(s.socket.send("still ours") == 10);
    }
}

TEST_CASE("an io_context that is destroyed takes pending hand-overs along, and nothing else", "[G8][asio]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    const std::size_t before = test::descriptors_of(::getpid());
    auto token               = std::make_shared<int>(1);
    {
        asio::io_context io;
        ss::async_receive_hand_over(segment, io.get_executor(),
                                    [token](ss::error_code, const ss::handed_over&) { FAIL_CHECK("called"); });
        ss::async_hand_over(s.socket, segment->self(), {}, io.get_executor(), [token](ss::error_code) { FAIL_CHECK("called"); });
        CHECK(token.use_count() == 3);
    }
    CHECK(token.use_count() == 1);
    CHECK(s.socket.is_open());
    CHECK(test::descriptors_of(::getpid()) == before);
}

TEST_CASE("of two operations that race a hand-over and a timer the one that wins cancels the other", "[G8][asio]")
{
    using namespace asio::experimental::awaitable_operators;
    test::scratch_segment segment;
    asio::io_context io;
    int rounds = 0;
    co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            for (; rounds < 50; ++rounds) {
                shared_stream s(segment);
                asio::steady_timer timer(io, rounds % 2 == 0 ? 1h : 0s);
                if (rounds % 2 == 0) ss::hand_over_unacknowledged(std::move(s.socket), segment->self(), {});
                auto first = co_await (ss::async_receive_hand_over(segment, io.get_executor(), asio::use_awaitable) ||
                                       timer.async_wait(asio::use_awaitable));
                CHECK(first.index() == static_cast<std::size_t>(rounds % 2));
            }
        },
        asio::detached);
    CHECK(run_until(io, [&] { return rounds == 50; }));
    CHECK(records_in_use(segment) == 0);
}
