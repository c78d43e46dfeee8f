// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Every path by which a registration ends, almost ends, or comes back: afterwards an operation that waits ends with the next thing
// that comes, and `owns_events` agrees with the operations.
#include "asio/kept_object.hpp"
#include "support/catch.hpp"
#include "support/descriptors.hpp"

#include <boost/asio/post.hpp>

#include <system_error>
#include <type_traits>
#include <utility>

namespace ss = sharedsock;

using test::kept_acceptor;
using test::kept_datagram;
using test::kept_scene;
using test::kept_stream;
using test::outcome;

namespace {

struct turn {
    auto record()
    {
        return [this](ss::error_code ec) {
            into.ec = ec;
            ++into.calls;
        };
    }
    outcome into;
};

} // namespace

TEMPLATE_TEST_CASE("a pass_on that finds no successor leaves everything as it was", "[asio][fault-90]", kept_stream, kept_datagram,
                   kept_acceptor)
{
    kept_scene<TestType> s;
    outcome pending;
    ss::error_code ec;

    SECTION("with an operation pending")
    {
        s.begin(pending);
        const auto before = s.kept.object.socket().registration();
        CHECK_FALSE(s.kept.object.pass_on(ec));
        CHECK_FALSE(ec);
        CHECK(s.goes_on(pending));
        CHECK(s.kept.object.socket().registration()->epoch == before->epoch);
    }
    SECTION("many times")
    {
        s.begin(pending);
        for (int i = 0; i < 100; ++i)
            CHECK_FALSE(s.kept.object.pass_on(ec));
        CHECK(s.goes_on(pending));
    }
    SECTION("with nothing pending")
    {
        s.kept.object.take_over();
        CHECK_FALSE(s.kept.object.pass_on(ec));
    }
    SECTION("with something there already")
    {
        s.begin(pending);
        s.kept.feed();
        CHECK_FALSE(s.kept.object.pass_on(ec));
        CHECK(s.ended(pending));
        CHECK_FALSE(pending.ec);
    }
    SECTION("in a handler, between two operations")
    {
        s.kept.object.take_over();
        boost::asio::post(s.io, [&] {
            s.kept.begin(pending);
            CHECK_FALSE(s.kept.object.pass_on(ec));
        });
        CHECK(s.goes_on(pending));
    }
    SECTION("when the registration came by a turn")
    {
        s.rival.event_select(s.its, TestType::event);
        turn mine;
        s.kept.object.async_stand_by(mine.record());
        s.rival.cancel_registration();
        REQUIRE(s.ended(mine.into));
        s.begin(pending);
        CHECK_FALSE(s.kept.object.pass_on(ec));
        CHECK(s.goes_on(pending));
    }
    SECTION("when there is no registration any more: told as a loss")
    {
        s.begin(pending);
        s.rival.cancel_registration(); // the doorbell has not been answered
        CHECK_FALSE(s.kept.object.pass_on(ec));
        CHECK(ec == ss::errc::not_the_owner);
        CHECK(s.is_told(pending));
    }
    CHECK(s.lives());
}

TEMPLATE_TEST_CASE("a registration that was passed on and comes back serves the next operations", "[asio][fault-90]", kept_stream,
                   kept_datagram, kept_acceptor)
{
    kept_scene<TestType> s;
    s.kept.object.take_over();
    s.rival.stand_by(s.its, TestType::event);
    turn mine;

    SECTION("with an operation pending, which is told")
    {
        outcome pending;
        s.begin(pending);
        REQUIRE(s.kept.object.pass_on());
        CHECK(s.is_told(pending));
        REQUIRE(s.its.wait(test::patience * 0) == false);
        s.kept.object.async_stand_by(mine.record());
        REQUIRE(s.rival.pass_on());
        CHECK(s.ended(mine.into));
    }
    SECTION("before its bell was answered, and once more")
    {
        for (int i = 0; i < 3; ++i) {
            REQUIRE(s.kept.object.pass_on());
            REQUIRE(s.rival.pass_on());
        }
        s.kept.object.async_stand_by(mine.record());
        CHECK(s.ended(mine.into));
        REQUIRE(s.owns());
    }
    SECTION("taken back by an operation at once") { REQUIRE(s.kept.object.pass_on()); }
    CHECK_FALSE(mine.into.ec);
    CHECK(s.lives());
}

TEMPLATE_TEST_CASE("an object that gives up standing by has lost nothing, and its next operation says nothing of a loss",
                   "[asio][fault-90]", kept_stream, kept_datagram, kept_acceptor)
{
    kept_scene<TestType> s;
    ss::event_object unused;
    s.rival.event_select(s.its, TestType::event);

    SECTION("with its turn pending, which is told")
    {
        turn mine;
        s.kept.object.async_stand_by(mine.record());
        s.settle();
        s.kept.object.socket().stand_by(unused, ss::network_event::none);
        CHECK(s.is_told(mine.into));
    }
    SECTION("with nothing pending, after it has passed the events on")
    {
        s.rival.cancel_registration();
        s.rival.stand_by(s.its, TestType::event); // at once
        REQUIRE(s.rival.registration());
        s.rival.cancel_registration();
        s.kept.object.take_over();
        s.rival.stand_by(s.its, TestType::event);
        REQUIRE(s.kept.object.pass_on());
        s.kept.object.socket().stand_by(unused, ss::network_event::none);
    }
    CHECK_FALSE(s.kept.object.owns_events());
    CHECK(s.lives());
}

TEMPLATE_TEST_CASE("a loss that is regained before any bell is answered ends what was pending, and nothing that comes later",
                   "[asio][fault-91][G3]", kept_stream, kept_datagram, kept_acceptor)
{
    kept_scene<TestType> s;
    outcome pending, next;
    s.begin(pending);

    SECTION("by take_over")
    {
        s.rival.event_select(s.its, TestType::event);
        s.kept.object.take_over();
    }
    SECTION("by take_over, with something that came in between")
    {
        s.rival.event_select(s.its, TestType::event);
        s.kept.feed();
        s.kept.object.take_over();
        CHECK(s.is_told(pending));
        s.kept.begin(next);
        CHECK(s.ended(next));
        CHECK_FALSE(next.ec);
    }
    SECTION("by take_over, after a cancellation")
    {
        s.rival.cancel_registration();
        s.kept.object.take_over();
    }
    SECTION("several times")
    {
        for (int i = 0; i < 3; ++i) {
            s.rival.event_select(s.its, TestType::event);
            s.kept.object.take_over();
        }
    }
    SECTION("by an operation, which is told too")
    {
        s.rival.event_select(s.its, TestType::event);
        s.kept.begin(next);
        CHECK(s.is_told(pending));
        s.ended(next);
        if (next.ec) CHECK(s.is_told(next));
    }
    SECTION("by standing by")
    {
        turn mine;
        s.rival.event_select(s.its, TestType::event);
        s.kept.object.async_stand_by(mine.record());
        s.rival.cancel_registration();
        CHECK(s.ended(mine.into));
        CHECK_FALSE(mine.into.ec);
    }
    CHECK(s.is_told(pending));
    CHECK(s.lives());
}

TEMPLATE_TEST_CASE("an object registers anew after a cancellation, another kind of registration, or its release",
                   "[asio][fault-91]", kept_stream, kept_datagram, kept_acceptor)
{
    kept_scene<TestType> s;
    outcome pending;
    s.begin(pending);
    ss::event_object own;

    SECTION("after a cancellation through its own handle")
    {
        s.kept.object.socket().cancel_registration();
        CHECK(s.is_told(pending));
    }
    SECTION("after a cancellation through its own handle with nothing pending, of which the next operation tells once")
    {
        s.kept.object.cancel();
        s.settle();
        s.kept.object.socket().cancel_registration();
        CHECK(s.next_is_told());
    }
    SECTION("after a loss with nothing pending, of which the next operation tells once")
    {
        s.kept.object.cancel();
        s.settle();
        s.rival.event_select(s.its, TestType::event);
        CHECK(s.next_is_told());
    }
    SECTION("after an event object took the place through its own handle")
    {
        s.kept.object.socket().event_select(own, TestType::event);
        CHECK(s.is_told(pending));
        CHECK_FALSE(s.kept.object.owns_events());
    }
    SECTION("by a turn that comes at once, since its own handle owns the events for an event object")
    {
        s.kept.object.socket().event_select(own, TestType::event);
        CHECK(s.is_told(pending));
        turn mine;
        s.kept.object.async_stand_by(mine.record());
        CHECK(s.ended(mine.into));
        CHECK_FALSE(mine.into.ec);
    }
    SECTION("after its release")
    {
        auto socket = s.kept.object.release();
        CHECK(s.ended(pending));
        if constexpr (std::is_same_v<TestType, kept_acceptor>)
            s.kept.object = ss::acceptor(s.io.get_executor(), std::move(socket), ss::by_registration);
        else
            s.kept.object = decltype(s.kept.object)(s.io, std::move(socket));
    }
    CHECK(s.lives());
}

TEMPLATE_TEST_CASE("a registration that fails for want of descriptors leaves the object able to register later", "[asio][fault-91]",
                   kept_stream, kept_datagram, kept_acceptor)
{
    kept_scene<TestType> s;
    ss::error_code ec;
    outcome failed;
    {
        const test::no_more_descriptors limited;
        s.kept.object.take_over(ec);
        s.kept.begin(failed);
    }
    CHECK(ec == std::errc::too_many_files_open);
    CHECK(s.ended(failed));
    CHECK(failed.ec == std::errc::too_many_files_open);
    CHECK_FALSE(s.kept.object.owns_events());
    CHECK(s.lives());
}
