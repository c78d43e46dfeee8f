// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The handlers of a stream's operations, and where they run: tokens, executors, allocators, kinds of contexts.
#include "asio/outcome.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <cstddef>
#include <memory_resource>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace asio = boost::asio;
namespace ss   = sharedsock;
using ss::error_code;
using test::outcome;

TEST_CASE("every completion token is served", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    ss::stream stream(io, std::move(pair.socket));
    char byte = 0;
    pair.say("abcdef");

    auto future = stream.async_read_some(asio::buffer(&byte, 1), asio::use_future);
    io.run();
    CHECK(future.get() == 1);
    CHECK(byte == 'a');
    io.restart();

    outcome deferred;
    auto later = stream.async_read_some(asio::buffer(&byte, 1), asio::deferred);
    io.run();
    CHECK(byte == 'a'); // not started yet
    io.restart();
    std::move(later)(deferred.record());
    io.run();
    CHECK(byte == 'b');
    io.restart();

    std::string spoken;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            const std::size_t first = co_await stream.async_read_some(asio::buffer(&byte, 1), asio::use_awaitable);
            CHECK(first == 1);
            spoken += byte;
            const auto [ec, size] = co_await stream.async_read_some(asio::buffer(&byte, 1), asio::as_tuple(asio::use_awaitable));
            CHECK_FALSE(ec);
            CHECK(size == 1);
            spoken += byte;
        },
        asio::detached);
    io.run();
    CHECK(spoken == "cd");
    io.restart();

    stream.async_read_some(asio::buffer(&byte, 1), asio::detached);
    io.run();
    CHECK(byte == 'e');

    using awaiting_stream = asio::use_awaitable_t<>::as_default_on_t<ss::stream>;
    awaiting_stream by_default(asio::any_io_executor(io.get_executor()), stream.release());
    io.restart();
    asio::co_spawn(
        io, [&]() -> asio::awaitable<void> { co_await by_default.async_read_some(asio::buffer(&byte, 1)); }, asio::detached);
    io.run();
    CHECK(byte == 'f');
}

TEST_CASE("the handler's executor and allocator are used", "[asio]")
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    asio::io_context other;
    ss::stream stream(io, std::move(pair.socket));
    char byte = 0;
    pair.say("ab");
    outcome read;
    stream.async_read_some(asio::buffer(&byte, 1), asio::bind_executor(other, read.record()));
    io.run();
    CHECK(read.calls == 0); // the operation is done, the handler is the other context's
    CHECK(byte == 'a');
    other.run();
    CHECK(read.calls == 1);

    // An allocator that counts.
    struct tally {
        int allocated = 0, freed = 0;
    } seen;
    struct resource final : std::pmr::memory_resource {
        explicit resource(tally& t) : tally_(t) {}
        void* do_allocate(std::size_t size, std::size_t alignment) override
        {
            ++tally_.allocated;
            return std::pmr::new_delete_resource()->allocate(size, alignment);
        }
        void do_deallocate(void* place, std::size_t size, std::size_t alignment) override
        {
            ++tally_.freed;
            std::pmr::new_delete_resource()->deallocate(place, size, alignment);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
        tally& tally_;
    } memory(seen);
    io.restart();
    bool free_when_called = false;
    stream.async_read_some(asio::buffer(&byte, 1),
                           asio::bind_allocator(std::pmr::polymorphic_allocator<std::byte>(&memory),
                                                [&](error_code, std::size_t) { free_when_called = seen.freed == seen.allocated; }));
    io.run();
    CHECK(seen.allocated == 1);
    CHECK(free_when_called);
}

TEMPLATE_TEST_CASE("a handler runs on its own executor, whatever the stream's stands for", "[asio]", ss::stream,
                   ss::basic_stream<asio::io_context::executor_type>, asio::use_awaitable_t<>::as_default_on_t<ss::stream>,
                   asio::use_awaitable_t<>::as_default_on_t<ss::basic_stream<asio::io_context::executor_type>>)
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    asio::io_context io;
    asio::io_context other;
    TestType stream(io, std::move(pair.socket));
    const auto expect = [&](auto elsewhere) {
        char byte = 0;
        outcome here, there;
        pair.say("ab");
        io.restart();
        stream.async_read_some(asio::buffer(&byte, 1), here.record());
        io.run();
        CHECK(here.calls == 1);
        io.restart();
        stream.async_read_some(asio::buffer(&byte, 1), asio::bind_executor(elsewhere, there.record()));
        io.run();
        CHECK(there.calls == 0);
        other.restart();
        other.run();
        CHECK(there.calls == 1);
    };
    expect(other.get_executor());
    expect(asio::any_io_executor(other.get_executor()));
    expect(asio::make_strand(other));
}

TEST_CASE("strands, thread pools and contexts with one thread by promise run streams", "[asio]")
{
    test::scratch_segment segment;
    const auto exchange = [&](const asio::any_io_executor& executor, auto&& run) {
        test::connection pair(segment, AF_INET);
        ss::stream stream(executor, std::move(pair.socket));
        char byte = 0;
        auto read = stream.async_read_some(asio::buffer(&byte, 1), asio::use_future);
        pair.say("k");
        run();
        CHECK(read.get() == 1);
        CHECK(byte == 'k');
    };
    asio::io_context several(4);
    exchange(asio::make_strand(several), [&] {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i)
            threads.emplace_back([&] { several.run(); });
    });
    asio::io_context single(1);
    exchange(single.get_executor(), [&] { single.run(); });
    asio::io_context unsafe(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO);
    exchange(unsafe.get_executor(), [&] { unsafe.run(); });
    asio::thread_pool pool(2);
    exchange(pool.get_executor(), [] {});
    pool.join();
}
