// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// ENUM and ASYNC: the collection of events and their delivery to handlers, in the cases that every program meets.
#include "conformance/event_steps.hpp"

#include <sharedsock/sharedsock.hpp>

#include <thread>

#include <fcntl.h>

namespace ss = sharedsock;

using test::closed_port;
using test::next_events;
using test::next_message;
using test::no_message;
using test::quiet;
using test::shared_connection;
using test::shared_with_handler;
using test::signalled;
using test::word;

// --- ENUM -------------------------------------------------------------------------------------------------------------

TEST_CASE("enumerating returns what was recorded since the last time, and clears it", "[ENUM-1]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read|write") == "ok");
    s.x.send("x");
    REQUIRE(test::eventually([&] { return s.b.ask("receive h 1 peek dontwait") == "\"x\""; }));
    CHECK(s.a.ask("enum h") == "read|write");
    CHECK(s.a.ask("enum h") == "none");
}

SHAREDSOCK_CHILD_ROLE("receives when events say so")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    const bool registers_anew = role.args.at(1) == "registers anew";
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    ss::event_object ready;
    const auto mask = ss::network_event::read | ss::network_event::close;
    socket.event_select(ready, mask);
    role.say("registered");
    std::size_t received = 0;
    std::uint32_t rounds = 0;
    for (bool ended = false; !ended;) {
        if (!ready.wait(test::patience)) {
            role.say("slept over " + std::to_string(received));
            return 1;
        }
        const ss::network_events happened = socket.enum_network_events(ready);
        ended                             = happened.has(ss::network_event::close);
        if (happened.has(ss::network_event::read)) {
            std::byte room[7];
            ss::error_code ec;
            received += socket.receive(room, 0, ec); // another may have been quicker
        }
        if (registers_anew && !ended && ++rounds % 5 == 0) socket.event_select(ready, mask);
    }
    role.say(std::to_string(received));
    role.hear();
    return 0;
}

SHAREDSOCK_CHILD_ROLE("receives what it can get")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    role.say("has it");
    std::size_t received = 0;
    for (;;) {
        std::byte room[3];
        ss::error_code ec;
        const std::size_t got = socket.receive(room, 0, ec);
        received += got;
        if (!ec && got == 0) break;
        pollfd waiting{socket.native_handle(), POLLIN, 0};
        if (ec && ::poll(&waiting, 1, static_cast<int>(test::patience.count())) == 0) return 1;
    }
    role.say(std::to_string(received));
    role.hear();
    return 0;
}

namespace {

// A child in a role that has said "ready", with a handle to `socket`; returns when it has said `expected`.
void hand_to(test::child_process& child, test::scratch_segment& segment, const ss::shared_socket& socket, const char* expected)
{
    child.wait_for("ready");
    child.tell(socket.duplicate(segment->find_process(child.pid()).value()).to_text());
    child.wait_for(expected);
}

void send_singly(int descriptor, int count)
{
    const int now = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, 1, &now, sizeof now); // TCP_NODELAY
    for (int i = 0; i < count; ++i)
        if (::send(descriptor, "x", 1, MSG_NOSIGNAL) != 1) throw std::system_error(errno, std::generic_category(), "send");
}

} // namespace

TEST_CASE("copying, clearing and resetting are one step: who waits, enumerates and receives never sleeps over data", "[ENUM-2]")
{
    constexpr int bytes = 50'000;
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    test::child_process a("receives when events say so", {segment.name(), "registers once"});
    hand_to(a, segment, s.socket, "registered");
    send_singly(s.peer, bytes);
    s.close_peer();
    CHECK(a.line() == std::to_string(bytes));
}

TEST_CASE("no wake-up is lost when others receive too and the owner registers anew", "[ENUM-3]")
{
    constexpr int bytes = 50'000;
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    s.socket.set_blocking(false);
    test::child_process a("receives when events say so", {segment.name(), "registers anew"});
    test::child_process b("receives what it can get", {segment.name()});
    hand_to(a, segment, s.socket, "registered");
    hand_to(b, segment, s.socket, "has it");
    send_singly(s.peer, bytes);
    s.close_peer();
    CHECK(std::stoi(a.line()) + std::stoi(b.line()) == bytes);
}

TEST_CASE("an enumeration that fails changes neither the record nor an event object", "[ENUM-4]")
{
    test::scratch_segment segment;
    test::connection s(segment);
    ss::event_object ready, moved;
    const ss::event_object elsewhere(std::move(moved));
    s.socket.event_select(ready, ss::network_event::read);
    s.say("x");
    REQUIRE(ready.wait(test::patience));
    ss::error_code ec;
    CHECK_FALSE(s.socket.enum_network_events(&moved, ec));
    CHECK(ec == ss::errc::bad_event_object);
    CHECK(ec == std::errc::invalid_argument);
    CHECK(ready.is_set());
    CHECK(s.socket.enum_network_events(ready).occurred == ss::network_event::read);
    CHECK_FALSE(ready.is_set());
}

TEST_CASE("errors mean something for the events that occurred, and there may be none of either", "[ENUM-5]")
{
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    ss::event_object ready;
    s.socket.event_select(ready, ss::network_event::read | ss::network_event::close);
    const ss::network_events nothing = s.socket.enum_network_events(ready);
    CHECK_FALSE(nothing);
    CHECK(nothing.errors == std::array<int, 10>{});
    s.reset_peer();
    REQUIRE(ready.wait(test::patience));
    const ss::network_events end = s.socket.enum_network_events(ready);
    CHECK(end.occurred == ss::network_event::close);
    CHECK(end.error(ss::network_event::close) == std::errc::connection_reset);
    CHECK_FALSE(end.error(ss::network_event::read));
    CHECK(end.errors == std::array<int, 10>{0, 0, 0, 0, 0, ECONNRESET, 0, 0, 0, 0});
}

TEST_CASE("enumerating re-enables nothing and ends nothing", "[ENUM-6]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("0123456789");
    CHECK(next_events(s.a) == "read");
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(quiet(s.a));
    REQUIRE(s.a.ask("receive h 1") == "\"0\"");
    CHECK(next_events(s.a) == "read");
}

TEST_CASE("any process may collect the record, and the owner's event object stays signalled over an empty one", "[ENUM-7]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");

    SECTION("before the owner has looked")
    {
        CHECK(test::eventually([&] { return s.b.ask("enum h") == "read"; }));
        CHECK(signalled(s.a));
    }
    SECTION("after it has")
    {
        CHECK(signalled(s.a));
        CHECK(s.b.ask("enum h e") == "read");
        CHECK(s.a.ask("sig e") == "yes");
    }
    CHECK(s.a.ask("enum h e") == "none");
    CHECK(s.a.ask("sig e") == "no");
    CHECK(s.b.ask("enum h") == "none");
    REQUIRE(s.b.ask("receive h 1") == "\"x\"");
    s.x.send("y");
    CHECK(next_events(s.a) == "read"); // and the registration goes on
}

TEST_CASE("nothing is recorded while the events go to a handler", "[ENUM-8]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");
    s.x.send("x");
    CHECK(next_message(s.a) == "h read");
    CHECK(s.a.ask("enum h") == "none");
    CHECK(s.b.ask("enum h e") == "none");

    SECTION("nor by who enumerates before the handler was called")
    {
        REQUIRE(s.a.ask("receive h 1") == "\"x\"");
        REQUIRE(s.a.ask("pause") == "ok");
        s.x.send("y");
        CHECK(test::eventually([&] { return s.b.ask("receive h 1 peek dontwait") == "\"y\""; }));
        CHECK(s.b.ask("enum h") == "none");
        REQUIRE(s.a.ask("resume") == "ok");
        CHECK(next_message(s.a) == "h read");
    }
}

TEST_CASE("an event object is a manual-reset flag of one process", "[ENUM-9]")
{
    using namespace std::chrono_literals;
    ss::event_object first, second, third;
    ss::event_object* const all[] = {&first, &second, &third};
    CHECK_FALSE(first.is_set());
    CHECK_FALSE(first.wait(0s));
    first.set();
    first.set();
    CHECK(first.wait(0s));
    CHECK(first.is_set());
    first.reset();
    CHECK_FALSE(first.is_set());

    CHECK_FALSE(ss::wait_any(all, 0s));
    second.set();
    third.set();
    CHECK(ss::wait_any(all, 0s) == 1u);
    CHECK(second.is_set());
    CHECK_FALSE(ss::wait_all(all, 0s));
    std::thread setter([&] { first.set(); });
    CHECK(ss::wait_all(all));
    setter.join();
    for (ss::event_object* const one : all) CHECK(one->is_set());

    CHECK((::fcntl(first.native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
}

// --- ASYNC ------------------------------------------------------------------------------------------------------------

TEST_CASE("each event is a message of its own, CONNECT before WRITE", "[ASYNC-1][ASYNC-6]")
{
    test::scratch_segment segment;
    test::async_peer a(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("open h") == "ok");
    REQUIRE(a.ask("async_select h connect|write") == "ok");
    CHECK(a.ask("connect h " + std::to_string(listener.port())) == "error: operation_would_block");
    CHECK(next_message(a) == "h connect");
    CHECK(next_message(a) == "h write");
    CHECK(no_message(a));
}

TEST_CASE("a message says which socket, which event, and its error", "[ASYNC-2]")
{
    SECTION("of two sockets")
    {
        shared_with_handler s;
        REQUIRE(s.a.ask("dial h2 " + std::to_string(s.listener.port())) == "ok");
        auto x2 = s.listener.accept();
        REQUIRE(s.a.ask("async_select h read") == "ok");
        REQUIRE(s.a.ask("async_select h2 read") == "ok");
        x2.send("2");
        CHECK(next_message(s.a) == "h2 read");
        s.x.send("1");
        CHECK(next_message(s.a) == "h read");
    }
    SECTION("though SO_ERROR was cleared before it was delivered")
    {
        test::scratch_segment segment;
        test::async_peer a(segment.name());
        closed_port nobody;
        REQUIRE(a.ask("open h") == "ok");
        REQUIRE(a.ask("async_select h connect") == "ok");
        REQUIRE(a.ask("pause") == "ok");
        CHECK(a.ask("connect h " + nobody.text) == "error: operation_would_block");
        CHECK(test::eventually([&] { return a.ask("option_error h") == "connection_refused"; }));
        REQUIRE(a.ask("resume") == "ok");
        CHECK(next_message(a) == "h connect=connection_refused");
    }
}

TEST_CASE("there is one message for an event until its re-enabling call", "[ASYNC-3]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");
    s.x.send("0");
    CHECK(next_message(s.a) == "h read");
    for (int i = 1; i < 100; ++i) s.x.send("1");
    CHECK(no_message(s.a));
    REQUIRE(s.a.ask("receive h 1") == "\"0\"");
    CHECK(next_message(s.a) == "h read");
    CHECK(no_message(s.a));

    SECTION("by any process")
    {
        REQUIRE(s.b.ask("receive h 1") == "\"1\"");
        CHECK(next_message(s.a) == "h read");
        CHECK(no_message(s.a));
    }
}

TEST_CASE("no message comes after its registration has ended", "[ASYNC-4]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read|close") == "ok");
    REQUIRE(s.a.ask("pause") == "ok");

    SECTION("by a cancellation elsewhere")
    {
        s.x.send("x");
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        REQUIRE(s.a.ask("resume") == "ok");
        for (int i = 0; i < 100; ++i) s.x.send("x");
        CHECK(no_message(s.a));
    }
    SECTION("by a close")
    {
        s.x.close();
        REQUIRE(test::eventually([&] { return s.b.ask("receive h 1") == "end"; }));
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.a.ask("resume") == "ok");
        CHECK(no_message(s.a));
    }
}

TEST_CASE("handlers run on the executor, one at a time, and may register", "[ASYNC-5]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");

    SECTION("a thousand of them")
    {
        REQUIRE(s.a.ask("receive_in_handler 1") == "ok");
        s.x.send(std::string(1000, 'x'));
        int received = 0;
        while (received < 1000) {
            const std::string message = next_message(s.a);
            if (message == "h read \"x\"") ++received;
            else REQUIRE(message == "h read operation_would_block"); // a surplus one
        }
        CHECK(s.a.ask("orderly") == "yes");
    }
    SECTION("the socket that they are called for")
    {
        REQUIRE(s.a.ask("select_in_handler read|write") == "ok");
        s.x.send("x");
        CHECK(next_message(s.a) == "h read");
        CHECK(next_message(s.a) == "h read"); // of the new registration, for the same byte (REG-7)
        CHECK(next_message(s.a) == "h write");
        CHECK(s.a.ask("orderly") == "yes");
    }
}

TEST_CASE("a sink that is none is refused", "[ASYNC-7]")
{
    shared_with_handler s;
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    const std::string before = s.b.ask("query h");
    CHECK(s.a.ask("async_select_without executor h") == "error: invalid_argument");
    CHECK(s.a.ask("async_select_without handler h") == "error: invalid_argument");
    CHECK(s.b.ask("query h") == before);
}

TEST_CASE("an executor that stops loses its messages, not the registration", "[ASYNC-7]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");
    REQUIRE(s.a.ask("stop") == "ok");
    s.x.send("x");
    CHECK(word(s.b.ask("query h"), "owner") == s.a.ask("self"));
    CHECK(no_message(s.a));
    REQUIRE(s.b.ask("event_select h e read") == "ok"); // who takes over does not wait for it
    CHECK(next_events(s.b) == "read");
}

TEST_CASE("a registration keeps no executor alive", "[ASYNC-7]")
{
    shared_with_handler s;
    CHECK(s.a.ask("run_alone h read") == "returned");
    CHECK(word(s.b.ask("query h"), "owner") == s.a.ask("self"));
}
