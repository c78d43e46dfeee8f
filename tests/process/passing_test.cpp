// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Events and losses that come to a registration while `pass_on` looks for a successor: between its two steps, which these tests
// take apart.
#include "attach/attachment.hpp"
#include "events/local_registration.hpp"
#include "support/catch.hpp"
#include "support/deadline.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace ss     = sharedsock;
namespace detail = sharedsock::detail;
using namespace std::chrono_literals;

namespace {

const ss::segment_options impatient{.sockets = 8, .processes = 4, .patience = 20ms};

struct scene {
    detail::local_registration& registration() { return *registration_of(*pair.socket.impl()); }
    detail::membership& self() { return *home->attachment()->member(); }
    bool pass_word_on() { return self().pass_on(pair.socket.impl()->which(), epoch, ec); }
    void register_here(bool tell_loss = false)
    {
        pair.socket.event_select(mine, ss::network_event::read, {.tell_loss = tell_loss});
        epoch = registration().epoch();
    }
    bool owned_here() { return pair.socket.registration() && pair.socket.registration()->owner == home->self(); }

    test::scratch_segment home{impatient};
    ss::segment elsewhere = ss::segment::open(home.name(), impatient);
    test::connection pair{home};
    ss::shared_socket others = ss::shared_socket::redeem(elsewhere, pair.socket.duplicate(elsewhere.self()));
    ss::event_object mine, its;
    ss::error_code ec;
    std::uint32_t epoch = 0;
};

} // namespace

TEST_CASE("an event that comes to an event object while pass_on finds no successor is signalled afterwards", "[fault-90][EVT-8]")
{
    scene s;
    s.register_here();
    const auto from       = s.registration().begin_passing();
    std::string collected = "read";

    SECTION("data, shown by the kernel meanwhile")
    {
        s.pair.say("x");
        CHECK_FALSE(s.mine.is_set());
    }
    SECTION("data, not shown yet") { s.pair.say("x"); }
    SECTION("a record that another process made, whose bell was answered meanwhile")
    {
        s.pair.say("x");
        CHECK(s.others.enum_network_events().occurred == ss::network_event::read);
        CHECK_FALSE(s.mine.is_set());
        collected = "none";
    }
    CHECK_FALSE(s.pass_word_on());
    s.registration().keep(from);
    CHECK(s.mine.wait(test::patience));
    CHECK(to_string(s.pair.socket.enum_network_events(s.mine).occurred) == collected);
    CHECK(s.owned_here());

    std::byte room[8];
    CHECK(s.pair.socket.receive(room) == 1);
    s.pair.say("y");
    CHECK(s.mine.wait(test::patience));
}

TEST_CASE("pass_on of an event object that finds no successor leaves registration, record and object as they were", "[fault-90]")
{
    scene s;
    s.register_here();
    s.pair.say("x");

    SECTION("with a record that is signalled")
    {
        REQUIRE(s.mine.wait(test::patience));
        CHECK_FALSE(s.pair.socket.pass_on());
        CHECK(s.mine.is_set());
    }
    SECTION("with data that was not looked at") { CHECK_FALSE(s.pair.socket.pass_on()); }
    SECTION("as a stopped process keeps the socket's lock")
    {
        const detail::membership::slot_guard locked(*s.elsewhere.attachment()->member(), s.pair.socket.impl()->socket().index,
                                                    s.ec);
        CHECK_FALSE(s.pair.socket.pass_on(s.ec));
        CHECK(s.ec == ss::errc::lock_timeout);
    }
    CHECK(s.mine.wait(test::patience));
    CHECK(s.pair.socket.registration()->epoch == s.epoch);
    CHECK(s.pair.socket.enum_network_events(s.mine).occurred == ss::network_event::read);
    std::byte room[8];
    CHECK(s.pair.socket.receive(room) == 1);
    s.pair.say("y");
    CHECK(s.mine.wait(test::patience));
    CHECK(s.owned_here());

    s.others.event_select(s.its, ss::network_event::read); // as before, the loser did not ask to be told, and collects (ENUM-7)
    CHECK(s.its.wait(test::patience));
    CHECK(s.pair.socket.enum_network_events(s.mine).occurred == ss::network_event::read);
}

TEST_CASE("a registration that is taken over while pass_on finds no successor is told as lost", "[fault-90][G3]")
{
    scene s;
    s.register_here(true);
    const auto from = s.registration().begin_passing();
    s.others.event_select(s.its, ss::network_event::read);
    SECTION("its bell was answered meanwhile") { CHECK_FALSE(s.mine.is_set()); }
    SECTION("its bell was not answered yet") {}
    CHECK_FALSE(s.pass_word_on());
    CHECK(s.ec == ss::errc::not_the_owner);
    s.registration().keep(from);
    CHECK(s.mine.is_set());
    CHECK(s.pair.socket.enum_network_events(s.mine).lost);
    s.others.cancel_registration();
    s.register_here();
    s.pair.say("x");
    CHECK(s.mine.wait(test::patience));
}

TEST_CASE("a turn that comes back before pass_on returns is the owner's again", "[fault-90][G4]")
{
    scene s;
    s.register_here();
    s.others.stand_by(s.its, ss::network_event::read);
    s.registration().begin_passing();
    REQUIRE(s.pass_word_on());
    REQUIRE(s.others.pass_on());
    CHECK_FALSE(s.mine.is_set()); // is_set answers the doorbell: `mine` is the owner by its turn
    s.registration().passed_on();
    CHECK(s.owned_here());
    s.pair.say("x");
    CHECK(s.mine.wait(test::patience));
    CHECK(s.pair.socket.enum_network_events(s.mine).occurred == ss::network_event::read);
}

TEST_CASE("an event object that is destroyed while pass_on looks for a successor ends the registration", "[fault-90][REG-20]")
{
    scene s;
    std::optional<ss::event_object> short_lived(std::in_place);
    s.pair.socket.event_select(*short_lived, ss::network_event::read);
    s.epoch         = s.registration().epoch();
    const auto from = s.registration().begin_passing();

    SECTION("pass_on finds no successor")
    {
        short_lived.reset();
        CHECK_FALSE(s.pass_word_on());
        s.registration().keep(from);
        CHECK_FALSE(s.pair.socket.registration());
    }
    SECTION("pass_on has found a successor, which keeps the registration")
    {
        s.others.stand_by(s.its, ss::network_event::read);
        REQUIRE(s.pass_word_on());
        short_lived.reset();
        s.registration().passed_on();
        REQUIRE(s.pair.socket.registration());
        CHECK(s.pair.socket.registration()->owner == s.elsewhere.self());
        CHECK_FALSE(s.pair.socket.handles().front().standing_by);
        CHECK_FALSE(s.pair.socket.handles().back().standing_by);
    }
}

TEST_CASE("a handle that owns the events for one event object and stands by with another has its turn at once", "[fault-91]")
{
    scene s;
    s.register_here();
    s.pair.socket.stand_by(s.mine, ss::network_event::read); // nothing changes
    CHECK(s.pair.socket.registration()->epoch == s.epoch);
    ss::event_object another;
    s.pair.socket.stand_by(another, ss::network_event::read);
    s.pair.say("x");
    CHECK(another.wait(test::patience));
    CHECK_FALSE(s.mine.is_set());
    CHECK(s.pair.socket.enum_network_events(another).occurred == ss::network_event::read);
    CHECK(s.owned_here());
}

TEST_CASE("a handler gets the events before and after a pass_on that finds no successor", "[fault-90]")
{
    scene s;
    boost::asio::io_context io;
    int events = 0;
    ss::async_select(
        s.pair.socket, io.get_executor(), [&](const ss::event_message&) { ++events; }, ss::network_event::read);
    const auto heard = [&](int count) {
        io.restart();
        const auto work = boost::asio::make_work_guard(io); // a registration is none
        for (const test::deadline end(test::patience); events < count && !end.passed();)
            io.run_one_for(50ms);
        return events == count;
    };
    std::byte room[8];

    SECTION("data that comes between its two steps, and is shown")
    {
        s.epoch         = s.registration().epoch();
        const auto from = s.registration().begin_passing();
        s.pair.say("x");
        io.poll();
        CHECK(events == 0);
        CHECK_FALSE(s.pass_word_on());
        s.registration().keep(from);
    }
    SECTION("data that was there") // the event is claimed when the handler runs
    {
        s.pair.say("x");
        CHECK_FALSE(s.pair.socket.pass_on());
    }
    SECTION("data that comes later")
    {
        CHECK_FALSE(s.pair.socket.pass_on());
        io.poll();
        s.pair.say("x");
    }
    CHECK(heard(1));
    CHECK(s.pair.socket.receive(room) == 1);
    s.pair.say("y");
    CHECK(heard(2));
    CHECK(s.owned_here());
}

TEST_CASE("a stream whose turn comes back before pass_on returns ends the pending operations, and reads on", "[fault-90][G3]")
{
    scene s;
    boost::asio::io_context io;
    ss::stream stream(io, std::move(s.pair.socket));
    char room[8];
    ss::error_code first, second;
    int ended       = 0;
    const auto read = [&](ss::error_code& into) {
        stream.async_read_some(boost::asio::buffer(room), [&](ss::error_code ec, std::size_t) {
            into = ec;
            ++ended;
        });
    };
    const auto until = [&](int count) {
        io.restart();
        for (const test::deadline end(test::patience); ended < count && !end.passed(); io.restart())
            io.run_one_for(50ms);
        return ended == count;
    };
    read(first);
    io.poll();
    auto& registration        = *registration_of(*stream.socket().impl());
    const std::uint32_t epoch = registration.epoch();
    s.others.stand_by(s.its, ss::network_event::read);
    registration.begin_passing();
    REQUIRE(s.self().pass_on(stream.socket().impl()->which(), epoch, s.ec));
    REQUIRE(s.others.pass_on());
    io.restart();
    io.poll(); // answers the doorbell
    registration.passed_on();
    CHECK(until(1));
    CHECK(first == ss::errc::registration_cancelled);
    CHECK(stream.owns_events());
    read(second);
    s.pair.say("x");
    CHECK(until(2));
    CHECK_FALSE(second);
}

TEST_CASE("a stream that lost more than half of all epochs ago registers and reads as any other", "[fault-91]")
{
    scene s;
    boost::asio::io_context io;
    ss::stream stream(io, std::move(s.pair.socket));
    stream.take_over();
    s.others.event_select(s.its, ss::network_event::read);
    io.poll(); // hears of its loss
    auto& word = stream.socket().impl()->slot().registration;
    s.others.cancel_registration();
    detail::change(word, [](detail::registration_word now) { // as so many registrations of other processes leave it
        now.epoch = (now.epoch + 0x80'0001) & detail::registration_word::epoch_mask;
        return std::optional(now);
    });
    char room[8];
    ss::error_code told, read = ss::errc::not_attached;
    stream.async_read_some(boost::asio::buffer(room), [&](ss::error_code ec, std::size_t) { told = ec; });
    io.restart();
    io.poll();
    CHECK(told == ss::errc::registration_cancelled);
    stream.async_read_some(boost::asio::buffer(room), [&](ss::error_code ec, std::size_t) { read = ec; });
    io.restart();
    io.poll();
    CHECK(read == ss::errc::not_attached); // the read waits
    s.pair.say("x");
    for (const test::deadline end(test::patience); read == ss::errc::not_attached && !end.passed(); io.restart())
        io.run_one_for(50ms);
    CHECK_FALSE(read);
}
