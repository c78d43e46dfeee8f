// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Acknowledged hand-overs as asynchronous operations: when they complete, and with what they come back.
#include "process/shared_stream.hpp"
#include "support/carry_pattern.hpp"
#include "support/deadline.hpp"
#include "support/eventually.hpp"

#include <sharedsock/asio.hpp>
#include <sharedsock/asio/hand_over.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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

struct scene {
    void give(const ss::hand_over_options& how = {})
    {
        ended.reset();
        ss::async_hand_over(s.socket, target, {bytes, 5}, how, io.get_executor(),
                            asio::bind_cancellation_slot(signal.slot(), [this](ss::error_code ec) { ended = ec; }));
    }
    bool ends()
    {
        io.restart();
        for (const test::deadline end; !ended && !end.passed();)
            io.run_one_for(10ms);
        return ended.has_value();
    }
    void check_that_it_is_back()
    {
        CHECK(s.socket.send("ours") == 4);
        CHECK(s.x.receive(4) == "ours");
        CHECK(records_in_use(segment) == 1);
    }

    test::scratch_segment segment;
    test::peer b{segment.name()};
    const ss::process_id target = id_of(segment, b);
    asio::io_context io;
    shared_stream s{segment};
    std::vector<std::byte> bytes = carry_pattern(5, 100);
    asio::cancellation_signal signal;
    std::optional<ss::error_code> ended;
};

} // namespace

TEST_CASE("an asynchronous hand-over completes when the target has taken the socket, and not before", "[G13][asio]")
{
    scene here;
    here.give();
    here.io.run_for(50ms);
    CHECK_FALSE(here.ended);
    here.b.process().tell("wait_hand_over h");
    REQUIRE(here.ends());
    CHECK_FALSE(*here.ended);
    CHECK_FALSE(here.s.socket.is_open());
    CHECK(here.b.process().line() == carry_line(5, 100));
    CHECK(talk(here.b, here.s.x));
}

TEST_CASE("an asynchronous hand-over comes back when the target dies, declines or hangs", "[G13][asio][fault-89][fault-94]")
{
    scene here;
    ss::error_code wanted;
    SECTION("dies")
    {
        here.give();
        here.io.run_for(20ms);
        end(here.b);
        wanted = ss::errc::target_gone;
    }
    SECTION("detaches")
    {
        here.give();
        here.io.run_for(20ms);
        REQUIRE(here.b.ask("leave") == "ok");
        wanted = ss::errc::target_gone;
    }
    SECTION("declines")
    {
        here.give();
        here.io.run_for(20ms);
        REQUIRE(test::eventually([&] { return here.b.ask("decline_hand_over") == "tag=5 count=100"; }));
        wanted = ss::errc::hand_over_declined;
    }
    SECTION("hangs")
    {
        here.b.process().stop();
        here.give({.limit = 100ms});
        wanted = ss::errc::hand_over_not_taken;
    }
    const auto before = std::chrono::steady_clock::now();
    REQUIRE(here.ends());
    CHECK(std::chrono::steady_clock::now() - before < 5s * test::slowness); // below the limit of ten
    CHECK(*here.ended == wanted);
    here.check_that_it_is_back();
    if (wanted == ss::errc::hand_over_not_taken) {
        here.b.process().resume();
        CHECK(here.b.ask("receive_hand_over h") == "none");
        here.check_that_it_is_back();
    }
}

TEST_CASE("an asynchronous hand-over that is cancelled comes back, or succeeds if it was taken", "[G13][asio]")
{
    scene here;
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total);
    here.give();
    here.io.run_for(20ms);
    const bool was_taken = GENERATE(false, true);
    if (was_taken) REQUIRE(here.b.ask("wait_hand_over h") == carry_line(5, 100));
    here.signal.emit(type);
    REQUIRE(here.ends());
    CHECK(*here.ended == (was_taken ? ss::error_code() : asio::error::operation_aborted));
    CHECK(here.s.socket.is_open() == !was_taken);
    if (was_taken) {
        CHECK(talk(here.b, here.s.x));
    } else {
        here.check_that_it_is_back();
        CHECK(here.b.ask("receive_hand_over h") == "none");
    }
}

TEST_CASE("a context that ends with a hand-over pending takes the socket back", "[G13][asio]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment);
    {
        asio::io_context io;
        ss::async_hand_over(s.socket, id_of(segment, b), {}, io.get_executor(), [](ss::error_code) { FAIL_CHECK("called"); });
        io.run_for(20ms);
        CHECK(records_in_use(segment) == 2);
    }
    CHECK(records_in_use(segment) == 1);
    CHECK(s.socket.send("ours") == 4);
    CHECK(b.ask("receive_hand_over h") == "none");
}

TEST_CASE("a stream that came back reads on, and no byte is lost", "[G8][G13][asio]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    asio::io_context io;
    shared_stream s(segment);
    ss::stream stream(io, std::move(s.socket));
    std::string room(6, ' ');
    std::optional<ss::error_code> ended;
    const auto run = [&] {
        io.restart();
        for (const test::deadline end; !ended && !end.passed();)
            io.run_one_for(10ms);
        return ended.value_or(asio::error::timed_out);
    };
    const auto read = [&](std::size_t count) {
        room.resize(count);
        ended.reset();
        asio::async_read(stream, asio::buffer(room), [&](ss::error_code ec, std::size_t) { ended = ec; });
        return run();
    };
    s.x.send("first second");
    REQUIRE_FALSE(read(6));
    CHECK(room == "first ");
    b.process().stop();
    for (int round = 0; round < 3; ++round) {
        ended.reset();
        ss::async_hand_over(stream, id_of(segment, b), {std::as_bytes(std::span(room)), 1}, {.limit = 50ms},
                            [&](ss::error_code ec) { ended = ec; });
        CHECK(run() == ss::errc::hand_over_not_taken);
        REQUIRE(stream.is_open());
    }
    REQUIRE_FALSE(read(3));
    CHECK(room == "sec");
    s.x.send(" third");
    REQUIRE_FALSE(read(9));
    CHECK(room == "ond third");
    b.process().resume();
    b.process().tell("wait_hand_over h");
    ended.reset();
    ss::async_hand_over(stream, id_of(segment, b), {}, [&](ss::error_code ec) { ended = ec; });
    CHECK_FALSE(run());
    CHECK_FALSE(stream.is_open());
    CHECK(b.process().line() == carry_line(0, 0));
    CHECK(talk(b, s.x));
}

TEST_CASE(
    "many asynchronous hand-overs of one context are taken in their order, and each costs one descriptor and a timer meanwhile",
    "[G13][asio]")
{
    constexpr std::uint64_t count = 100;
    test::scratch_segment segment({.sockets = 2 * count, .processes = 4});
    test::peer b(segment.name());
    asio::io_context io;
    std::vector<shared_stream> all;
    all.reserve(count);
    std::uint64_t done          = 0;
    const ss::process_id target = id_of(segment, b);
    for (std::uint64_t i = 0; i < count; ++i) {
        all.emplace_back(segment);
        ss::async_hand_over(all.back().socket, target, {{}, i}, io.get_executor(), [&](ss::error_code ec) {
            CHECK_FALSE(ec);
            ++done;
        });
    }
    io.run_for(20ms);
    for (std::uint64_t i = 0; i < count; ++i)
        REQUIRE(b.ask("wait_hand_over h" + std::to_string(i)) == carry_line(i, 0));
    io.restart();
    for (const test::deadline end; done < count && !end.passed();)
        io.run_one_for(10ms);
    CHECK(done == count);
    CHECK(records_in_use(segment) == count);
    for (std::uint64_t i = 0; i < count; ++i)
        CHECK_FALSE(all[i].socket.is_open());
}

TEST_CASE("two contexts that hand over to each other, each of one thread, are both served", "[G13][asio]")
{
    test::scratch_segment segment;
    const ss::segment other = ss::segment::open(segment.name(), segment.options());
    asio::io_context io;
    shared_stream one(segment), two(other);
    int done = 0;
    ss::async_hand_over(one.socket, other.self(), {{}, 1}, io.get_executor(), [&](ss::error_code ec) { done += !ec; });
    ss::async_hand_over(two.socket, segment->self(), {{}, 2}, io.get_executor(), [&](ss::error_code ec) { done += !ec; });
    for (const ss::segment* each : {static_cast<const ss::segment*>(&*segment), &other})
        ss::async_receive_hand_over(*each, io.get_executor(), [&](ss::error_code ec, const ss::handed_over& got) {
            CHECK_FALSE(ec);
            CHECK(got.socket.is_open());
            ++done;
        });
    for (const test::deadline end; done < 4 && !end.passed();)
        io.run_one_for(10ms);
    CHECK(done == 4);
}
