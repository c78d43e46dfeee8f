// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A handler of `async_select` and an Asio object on the same descriptor and the same io_context, one after the other and both at
// once.
#include "asio/kept_object.hpp"
#include "support/catch.hpp"
#include "support/descriptors.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
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

// The socket of the scene, and its object made once more.
template <class Kind>
struct scene : kept_scene<Kind> {
    ss::shared_socket take() { return this->kept.object.release(); }
    void put(ss::shared_socket socket)
    {
        if constexpr (std::is_same_v<Kind, kept_acceptor>)
            this->kept.object = ss::acceptor(this->io.get_executor(), std::move(socket), ss::by_registration);
        else
            this->kept.object = decltype(this->kept.object)(this->io, std::move(socket));
    }
    ss::event_handler handler()
    {
        return [this](const ss::event_message& message) {
            if (message.event == Kind::event) ++events;
            if (message.error == ss::errc::registration_cancelled) ++losses;
        };
    }
    bool heard(int count)
    {
        return this->runs_until([&] { return events >= count; }) && events == count;
    }
    // Re-enables the handler's event, and takes the byte or connection that it told of.
    void consume(ss::shared_socket& from)
    {
        ss::error_code ec;
        std::byte room[8];
        if constexpr (std::is_same_v<Kind, kept_acceptor>)
            from.accept(ec).close(ec);
        else
            from.receive(room, 0, ec);
        CHECK_FALSE(ec);
    }

    int events = 0;
    int losses = 0;
};

} // namespace

TEMPLATE_TEST_CASE("a socket with a handler's registration becomes an object of the same context", "[asio][fault-93][REG-4]",
                   kept_stream, kept_datagram, kept_acceptor)
{
    scene<TestType> s;
    auto socket          = s.take();
    const auto executor  = s.io.get_executor();
    const bool run_first = GENERATE(false, true);

    SECTION("registered: the handler gets the events until an operation registers, and none after that")
    {
        ss::async_select(socket, executor, s.handler(), TestType::event);
        if (run_first) s.settle();
        s.put(std::move(socket));
        CHECK_FALSE(s.kept.object.owns_events());
        s.kept.feed();
        CHECK(s.heard(1));
        s.consume(s.kept.object.socket());
        s.kept.feed();
        CHECK(s.heard(2));
        s.consume(s.kept.object.socket());
        CHECK(s.lives());
        s.settle();
        CHECK(s.events == 2);
        CHECK(s.losses == 0); // the registration was replaced through its own handle
    }
    SECTION("cancelled")
    {
        ss::async_select(socket, executor, s.handler(), TestType::event);
        socket.cancel_registration();
        if (run_first) s.settle();
        s.put(std::move(socket));
        CHECK(s.lives());
        CHECK(s.events == 0);
    }
    SECTION("lost to another handle, whose registration goes on until an operation registers")
    {
        ss::async_select(socket, executor, s.handler(), TestType::event, {.tell_loss = true});
        s.rival.event_select(s.its, TestType::event);
        if (run_first) s.settle();
        s.put(std::move(socket));
        s.settle();
        s.kept.feed();
        CHECK(s.its.wait(test::patience));
        CHECK(s.rival.enum_network_events(s.its).occurred == TestType::event);
        s.consume(s.rival);
        CHECK(s.lives());
        CHECK(s.events == 0);
        CHECK(s.losses == 1);
    }
    SECTION("standing by: its turn goes to the handler, until an operation registers")
    {
        s.rival.event_select(s.its, TestType::event);
        ss::async_stand_by(socket, executor, s.handler(), TestType::event);
        if (run_first) s.settle();
        s.put(std::move(socket));
        s.rival.cancel_registration();
        s.kept.feed();
        CHECK(s.heard(1));
        s.consume(s.kept.object.socket());
        CHECK(s.lives());
        CHECK(s.events == 1);
    }
    SECTION("standing by, with its turn come")
    {
        ss::async_stand_by(socket, executor, s.handler(), TestType::event); // at once
        if (run_first) s.settle();
        s.put(std::move(socket));
        s.kept.feed();
        CHECK(s.heard(1));
        s.consume(s.kept.object.socket());
        CHECK(s.lives());
    }
    SECTION("registered, and the object stands by: it has its turn at once, in the handler's place")
    {
        ss::async_select(socket, executor, s.handler(), TestType::event);
        if (run_first) s.settle();
        s.put(std::move(socket));
        outcome turn;
        s.kept.object.async_stand_by([record = turn.record()](ss::error_code ec) { record(ec, 0); });
        CHECK(s.ended(turn));
        CHECK_FALSE(turn.ec);
        CHECK(s.lives());
        CHECK(s.events == 0);
    }
    CHECK(test::descriptors_like(s.kept.object.native_handle()) == 2); // the object's own and the rival's: no duplicate is left
}

TEMPLATE_TEST_CASE("an object's socket gets a handler's registration on the same context", "[asio][fault-93][REG-4]", kept_stream,
                   kept_datagram, kept_acceptor)
{
    scene<TestType> s;
    outcome pending;
    s.begin(pending);

    SECTION("while it is the object's: the pending operation is told, and the next takes the events back")
    {
        ss::async_select(s.kept.object.socket(), s.io.get_executor(), s.handler(), TestType::event);
        CHECK(s.is_told(pending));
        s.kept.feed();
        CHECK(s.heard(1));
        s.consume(s.kept.object.socket());
        CHECK(s.lives());
        CHECK(s.events == 1);
    }
    SECTION("after its release, and becomes an object again")
    {
        for (int round = 1; round <= 3; ++round) {
            auto socket = s.take();
            ss::async_select(socket, s.io.get_executor(), s.handler(), TestType::event);
            s.kept.feed();
            CHECK(s.heard(round));
            s.consume(socket);
            s.put(std::move(socket));
            CHECK(s.lives());
        }
    }
}

TEMPLATE_TEST_CASE("a handler and an object on two handles of one socket and one context displace each other", "[asio][fault-93]",
                   kept_stream, kept_datagram, kept_acceptor)
{
    scene<TestType> s;
    auto other = ss::shared_socket::redeem(s.home, s.kept.object.socket().duplicate(s.home->self()));
    outcome pending;
    s.begin(pending);
    ss::async_select(other, s.io.get_executor(), s.handler(), TestType::event, {.tell_loss = true});
    CHECK(s.is_told(pending));
    s.kept.feed();
    CHECK(s.heard(1));
    s.consume(other);
    CHECK(s.lives());
    CHECK(s.events == 1);
    CHECK(s.losses == 1);
}

TEST_CASE("a socket that becomes a stream and finds no descriptor to spare keeps its handler's registration",
          "[asio][fault-93][REG-19]")
{
    scene<kept_stream> s;
    auto socket = s.take();
    ss::async_select(socket, s.io.get_executor(), s.handler(), ss::network_event::read);
    s.settle();
    ss::error_code ec;
    {
        const test::no_more_descriptors limited;
        try {
            const ss::stream refused(s.io, std::move(socket));
        } catch (const ss::system_error& failed) {
            ec = failed.code();
        }
    }
    CHECK(ec == std::errc::too_many_files_open);
    REQUIRE(socket.is_open());
    s.kept.feed();
    CHECK(s.heard(1));
    s.consume(socket);
    s.put(std::move(socket));
    CHECK(s.lives());
}

#if defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR) // which has an epoll of its own
TEST_CASE("a stream and the program may watch one descriptor on the same context", "[asio][fault-93]")
{
    scene<kept_stream> s;
    auto socket = s.take();
    boost::asio::posix::stream_descriptor own(s.io, socket.native_handle());
    s.put(std::move(socket));
    CHECK(s.lives());
    own.release();
    CHECK(s.lives());
}
#else
TEST_CASE("a stream is not put where the program itself watches the descriptor on the same context", "[asio][fault-93]")
{
    scene<kept_stream> s;
    auto socket = s.take();
    boost::asio::posix::stream_descriptor own(s.io, socket.native_handle());
    CHECK_THROWS_AS(ss::stream(s.io, std::move(socket)), ss::system_error);
    CHECK(socket.is_open());
    own.release();
    s.put(std::move(socket));
    CHECK(s.lives());
}
#endif
