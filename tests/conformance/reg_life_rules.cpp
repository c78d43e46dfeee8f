// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// REG-12 to REG-20: the effects of a registration, and the calls that end it or do not.
#include "conformance/shared_connection.hpp"
#include "support/child_process.hpp"
#include "support/deadline.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <csignal>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

using test::next_message;
using test::quiet;
using test::shared_connection;
using test::shared_listener;
using test::signalled;
using test::word;

TEST_CASE("registering makes the socket non-blocking, whatever the mask", "[REG-12]")
{
    shared_connection s;
    REQUIRE(s.b.ask("blocking h") == "yes");

    SECTION("mask zero") { REQUIRE(s.a.ask("event_select h - none") == "ok"); }
    SECTION("any other") { REQUIRE(s.a.ask("event_select h e write") == "ok"); }
    CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
    CHECK(s.b.ask("blocking h") == "no");
}

TEST_CASE("a socket cannot be made blocking while it is registered, and is not by cancelling", "[REG-13]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    CHECK(s.b.ask("blocking h on") == "error: invalid_argument, blocking_while_registered");
    CHECK(s.a.ask("blocking h on") == "error: invalid_argument, blocking_while_registered");
    REQUIRE(s.a.ask("event_select h - none") == "ok");
    CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
    CHECK(s.b.ask("blocking h on") == "ok");
    CHECK(s.a.ask("blocking h") == "yes");
}

TEST_CASE("closing the owner's handle cancels the registration, closing another does not", "[REG-14]")
{
    shared_connection s;
    test::peer c(s.segment.name());
    REQUIRE(test::share(s.a, "h", c) == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");

    REQUIRE(s.b.ask("close h") == "ok");
    s.x.send("x");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum h e") == "read");

    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(c.ask("query h") == "nobody");
    CHECK(s.a.ask("set e") == "ok");
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("reset e") == "ok");
    CHECK(s.a.ask("sig e") == "no");
    CHECK(s.a.ask("destroy e") == "ok");
}

TEST_CASE("an accepted socket starts with its listener's registration", "[REG-15]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e accept|read|write") == "ok");
    auto x = test::plain_socket::connect(s.port);
    REQUIRE(signalled(s.a));
    CHECK(s.a.ask("enum l e") == "accept");
    REQUIRE(s.a.ask("accept l s") == "ok");
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("enum s e") == "write");
    CHECK(word(s.a.ask("query s"), "owner") == s.a.ask("self"));
    CHECK(word(s.a.ask("query s"), "mask") == "read|write|accept");
    CHECK(word(s.a.ask("query s"), "handle") == s.a.ask("handle_id s"));
    x.send("x");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum s e") == "read");
}

TEST_CASE("an accepted socket starts with its listener's handler", "[REG-15]")
{
    test::scratch_segment segment;
    test::async_peer a(segment.name());
    const auto port = static_cast<std::uint16_t>(std::stoi(a.ask("listener l")));
    REQUIRE(a.ask("async_select l accept|read") == "ok");
    auto x = test::plain_socket::connect(port);
    CHECK(next_message(a) == "l accept");
    REQUIRE(a.ask("accept l s") == "ok");
    x.send("x");
    CHECK(next_message(a) == "s read");
}

TEST_CASE("a socket that another process than the owner's accepts starts without a registration, non-blocking", "[REG-16]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e accept|read|write") == "ok");
    auto x = test::plain_socket::connect(s.port);
    REQUIRE(signalled(s.a));

    SECTION("a process that never was the owner")
    {
        REQUIRE(s.b.ask("accept l s") == "ok");
        REQUIRE(s.a.ask("enum l e") == "accept");
        CHECK(s.b.ask("query s") == "nobody");
        CHECK(s.b.ask("receive s 1") == "error: operation_would_block");
        x.send("x");
        CHECK(quiet(s.a));
    }
    SECTION("a process that has lost the registration and not heard of it")
    {
        REQUIRE(s.b.ask("event_select l e accept") == "ok");
        REQUIRE(s.a.ask("accept l s") == "ok");
        CHECK(s.a.ask("query s") == "nobody");
        CHECK(s.a.ask("receive s 1") == "error: operation_would_block");
    }
}

TEST_CASE("duplicating and redeeming neither cancel nor move the registration", "[REG-17]")
{
    shared_connection s;
    test::peer c(s.segment.name());
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string before = s.a.ask("query h");
    REQUIRE(test::share(s.a, "h", c) == "ok");
    CHECK(c.ask("query h") == before);
    s.x.send("x");
    CHECK(signalled(s.a));
    REQUIRE(c.ask("close h") == "ok");
    CHECK(s.a.ask("query h") == before);
}

TEST_CASE("duplicating and redeeming leave a pending record with the owner, and re-enable nothing", "[REG-17]")
{
    shared_connection s;
    test::peer c(s.segment.name());
    REQUIRE(s.a.ask("event_select h e read|write") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    REQUIRE(test::eventually([&] { return s.b.ask("receive h 1 peek dontwait") == "\"x\""; }));
    REQUIRE(s.a.ask("sig e") == "yes"); // READ and WRITE are in the record

    SECTION("that the owner makes") { REQUIRE(test::share(s.a, "h", c) == "ok"); }
    SECTION("that another process makes, whose new handle is closed again")
    {
        REQUIRE(test::share(s.b, "h", c) == "ok");
        REQUIRE(c.ask("close h") == "ok");
    }
    SECTION("that are not redeemed but revoked") { REQUIRE(s.b.ask("revoke " + s.a.ask("duplicate h " + c.pid())) == "yes"); }
    SECTION("for the owner itself") { REQUIRE(s.a.ask("redeem g " + s.a.ask("duplicate h self")) == "ok"); }
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("enum h e") == "read|write");
    CHECK(s.a.ask("enum h e") == "none");

    // An event that has been collected waits for its re-enabling call; a duplication is none.
    test::peer d(s.segment.name());
    REQUIRE(test::share(s.a, "h", d) == "ok");
    CHECK(quiet(s.a));
    CHECK(d.ask("enum h") == "none");
    REQUIRE(d.ask("receive h 1") == "\"x\"");
    s.x.send("y");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum h e") == "read");
}

TEST_CASE("the death of the owner cancels its registration and any survivor may register", "[REG-18]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);

    CHECK(s.b.ask("enum h") == "none");
    CHECK(s.b.ask("query h") == "nobody");
    CHECK(s.b.ask("receive h 1 peek") == "\"x\"");
    CHECK(s.b.ask("blocking h") == "no");
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "read");
}

TEST_CASE("after the death of the owner a survivor may make the socket blocking", "[REG-18][REG-13]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.b.ask("blocking h on") == "ok");
}

TEST_CASE("a call that fails to register changes nothing", "[REG-19]")
{
    shared_connection s;

    SECTION("under a registration")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        const std::string before = s.a.ask("query h");
        CHECK(s.b.ask("event_select h e 4096") == "error: invalid_argument, bad_event_mask");
        CHECK(s.a.ask("event_select h e 1025") == "error: invalid_argument, bad_event_mask");
        CHECK(s.b.ask("query h") == before);
        s.x.send("x");
        CHECK(signalled(s.a));
        CHECK(s.a.ask("enum h e") == "read");
    }
    SECTION("the blocking mode")
    {
        CHECK(s.b.ask("event_select h e 4096") == "error: invalid_argument, bad_event_mask");
        CHECK(s.a.ask("blocking h") == "yes");
    }
    SECTION("when there is no descriptor left for a first registration")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        const std::string before = s.a.ask("query h");
        REQUIRE(s.b.ask("limit_descriptors 0") == "ok");
        CHECK(s.b.ask("event_select h e read") == "error: too_many_files_open");
        REQUIRE(s.b.ask("limit_descriptors off") == "ok");
        CHECK(s.b.ask("query h") == before);
        s.x.send("x");
        CHECK(signalled(s.a));
        CHECK(s.b.ask("event_select h e read") == "ok"); // now there is one
        CHECK(s.b.ask("enum h e") == "read");
    }
}

TEST_CASE("one event object may serve many sockets, and destroying it cancels their registrations", "[REG-20]")
{
    shared_connection s;
    auto x2 = [&] {
        REQUIRE(s.a.ask("dial h2 " + std::to_string(s.listener.port())) == "ok");
        return s.listener.accept();
    }();
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("event_select h2 e read") == "ok");
    s.x.send("1");
    x2.send("2");
    CHECK(signalled(s.a));
    CHECK(test::eventually([&] { return s.a.ask("enum h") == "read"; }));
    CHECK(test::eventually([&] { return s.a.ask("enum h2") == "read"; }));
    CHECK(s.a.ask("destroy e") == "ok");
    CHECK(s.a.ask("query h") == "nobody");
    CHECK(s.b.ask("query h") == "nobody");
    CHECK(s.a.ask("query h2") == "nobody");
}

SHAREDSOCK_CHILD_ROLE("forks with an event object")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    ss::event_object ready;
    socket.event_select(ready, ss::network_event::read);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return 1;
    const pid_t child = ::fork();
    if (child == 0) {
        const bool set    = ready.wait(test::quiet_time * 2); // the data comes meanwhile
        const char answer = set ? 'y' : 'n';
        ::_exit(::write(ends[1], &answer, 1) == 1 ? 0 : 1);
    }
    role.say("forked");
    role.hear();
    char answer = 0;
    static_cast<void>(::read(ends[0], &answer, 1));
    role.say(std::string("child ") + answer);
    role.say(std::string("parent ") + (ready.wait(test::patience) ? 'y' : 'n'));
    return 0;
}

TEST_CASE("an event object is the process's that made it: nothing sets the copy of a forked child", "[REG-20]")
{
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    test::child_process a("forks with an event object", {segment.name()});
    a.wait_for("ready");
    a.tell(s.socket.duplicate(segment->find_process(a.pid()).value()).to_text());
    a.wait_for("forked");
    s.say("x");
    a.tell("said");
    CHECK(a.line() == "child n");
    CHECK(a.line() == "parent y");
}

TEST_CASE("an event object that was moved from is no sink", "[REG-20]")
{
    test::scratch_segment segment;
    test::connection s(segment);
    ss::event_object first;
    ss::event_object second(std::move(first));
    ss::error_code ec;
    s.socket.event_select(first, ss::network_event::read, {}, ec);
    CHECK(ec == ss::errc::bad_event_object);
    CHECK(ec == std::errc::invalid_argument);
    CHECK_FALSE(s.socket.registration());
    s.socket.event_select(second, ss::network_event::read, {}, ec);
    CHECK_FALSE(ec);
}
