// ASYNC: events that come to a handler on an executor. At least one test for each rule of the specification.
#include "conformance/collecting_steps.hpp"

#include <cstdint>
#include <string>

using test::next_events_of;
using test::next_message;
using test::no_message;
using test::quiet;
using test::shared_with_handler;
using test::word;

namespace {

// A alone, with nothing but an executor.
struct one_with_handler {
    test::scratch_segment segment;
    test::async_peer a{segment.name()};
    test::plain_listener listener;
    std::string port = std::to_string(listener.port());
};

const std::string under_way = "error: operation_would_block";

} // namespace

TEST_CASE("each event is a message of its own", "[ASYNC-1]")
{
    one_with_handler s;
    REQUIRE(s.a.ask("open h") == "ok");
    REQUIRE(s.a.ask("async_select h connect|write") == "ok");
    CHECK(s.a.ask("connect h " + s.port) == under_way);
    CHECK(next_message(s.a) == "h connect");
    CHECK(next_message(s.a) == "h write");
    CHECK(no_message(s.a));
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
    SECTION("of an accepted socket, which is not its listener")
    {
        one_with_handler s;
        const auto port = static_cast<std::uint16_t>(std::stoi(s.a.ask("listener l")));
        REQUIRE(s.a.ask("async_select l accept|read") == "ok");
        auto x = test::plain_socket::connect(port);
        CHECK(next_message(s.a) == "l accept");
        REQUIRE(s.a.ask("accept l s") == "ok");
        x.send("x");
        CHECK(next_message(s.a) == "s read");
    }
    SECTION("though SO_ERROR was cleared before it was delivered")
    {
        one_with_handler s;
        test::refusing_port nobody;
        REQUIRE(s.a.ask("open h") == "ok");
        REQUIRE(s.a.ask("async_select h connect") == "ok");
        REQUIRE(s.a.ask("pause") == "ok");
        CHECK(s.a.ask("connect h " + nobody.text) == under_way);
        CHECK(test::eventually([&] { return s.a.ask("option_error h") == "connection_refused"; }));
        REQUIRE(s.a.ask("resume") == "ok");
        CHECK(next_message(s.a) == "h connect=connection_refused");
    }
}

TEST_CASE("there is one message for an event until its re-enabling call", "[ASYNC-3]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");
    s.x.send("0");
    CHECK(next_message(s.a) == "h read");
    for (int i = 1; i < 100; ++i)
        s.x.send("1");
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
        for (int i = 0; i < 100; ++i)
            s.x.send("x");
        CHECK(no_message(s.a));
    }
    SECTION("by another registration of its own, whose messages do come")
    {
        s.x.send("x");
        REQUIRE(s.a.ask("async_select h write") == "ok");
        REQUIRE(s.a.ask("resume") == "ok");
        CHECK(next_message(s.a) == "h write");
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
            if (message == "h read \"x\"")
                ++received;
            else
                REQUIRE(message == "h read operation_would_block"); // a surplus one
        }
    }
    SECTION("the socket that they are called for")
    {
        REQUIRE(s.a.ask("select_in_handler read|write") == "ok");
        s.x.send("x");
        CHECK(next_message(s.a) == "h read");
        CHECK(next_message(s.a) == "h read"); // of the new registration, for the same byte (REG-7)
        CHECK(next_message(s.a) == "h write");
    }
    CHECK(s.a.ask("orderly") == "yes");
}

TEST_CASE("no lock is held while a handler runs: other processes do what they like with the socket", "[ASYNC-5]")
{
    shared_with_handler s;
    test::peer c(s.segment.name());
    REQUIRE(s.a.ask("async_select h read") == "ok");
    REQUIRE(s.a.ask("hold") == "ok");
    s.x.send("x");
    REQUIRE(s.a.ask("entered") == "ok");
    CHECK(test::share(s.b, "h", c) == "ok"); // a new handle, under the lock
    CHECK(c.ask("receive h 1") == "\"x\"");
    CHECK(c.ask("close h") == "ok");
    CHECK(s.b.ask("handles h").substr(0, 2) == "2 ");
    CHECK(s.a.ask("send h y") == "1"); // other threads of A work as well
    REQUIRE(s.a.ask("go") == "ok");
    CHECK(next_message(s.a) == "h read");
}

TEST_CASE("CONNECT comes before WRITE, each time of a thousand", "[ASYNC-6]")
{
    one_with_handler s;
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(s.a.ask("open h") == "ok"); // the one before closes
        REQUIRE(s.a.ask("async_select h connect|write") == "ok");
        REQUIRE(s.a.ask("connect h " + s.port) == under_way);
        REQUIRE(next_message(s.a) == "h connect");
        REQUIRE(next_message(s.a) == "h write");
        const auto x = s.listener.accept();
    }
}

TEST_CASE("READ for the last data comes before CLOSE", "[ASYNC-6]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("receive_in_handler 4") == "ok");
    REQUIRE(s.a.ask("async_select h read|close") == "ok");
    REQUIRE(s.a.ask("pause") == "ok");
    s.x.send("0123456789");
    s.x.close();
    REQUIRE(test::eventually([&] { return s.b.ask("receive h 10 peek dontwait") == "\"0123456789\""; }));
    REQUIRE(s.a.ask("resume") == "ok");
    std::string received;
    std::string message = next_message(s.a);
    for (; message.substr(0, 6) == "h read"; message = next_message(s.a))
        if (message.size() > 9 && message[7] == '"') received += message.substr(8, message.size() - 9);
    CHECK(received == "0123456789");
    CHECK(message == "h close");
    CHECK(no_message(s.a));
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
    REQUIRE(s.b.ask("event_select h e read") == "ok"); // the new owner does not wait for it
    CHECK(next_events_of(s.b) == "read");
}

TEST_CASE("a registration keeps no executor alive", "[ASYNC-7]")
{
    shared_with_handler s;
    CHECK(s.a.ask("run_alone h read") == "returned");
    CHECK(word(s.b.ask("query h"), "owner") == s.a.ask("self"));
}

TEST_CASE("registrations of a handler follow the rules of all registrations", "[ASYNC-8]")
{
    shared_with_handler s;
    REQUIRE(s.a.ask("async_select h read") == "ok");

    SECTION("another one through any handle cancels it (REG-2)")
    {
        REQUIRE(s.b.ask("event_select h e write") == "ok");
        CHECK(s.b.ask("enum h e") == "write");
        s.x.send("x");
        CHECK(no_message(s.a));
        CHECK(quiet(s.b)); // B has not nominated READ
    }
    SECTION("one of another handler too (REG-2)")
    {
        test::async_peer c(s.segment.name());
        REQUIRE(test::share(s.a, "h", c) == "ok");
        REQUIRE(c.ask("async_select h read") == "ok");
        s.x.send("x");
        CHECK(next_message(c) == "h read");
        CHECK(no_message(s.a));
    }
    SECTION("mask zero cancels it through any handle (REG-5)")
    {
        SECTION("by event_select") { REQUIRE(s.b.ask("event_select h - none") == "ok"); }
        SECTION("by async_select") { REQUIRE(s.a.ask("async_select h none") == "ok"); }
        CHECK(s.b.ask("query h") == "nobody");
        s.x.send("x");
        CHECK(no_message(s.a));
    }
    SECTION("registering makes the socket non-blocking until a call says otherwise (REG-12, REG-13)")
    {
        CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
        CHECK(s.b.ask("blocking h on") == "error: invalid_argument, blocking_while_registered");
        REQUIRE(s.a.ask("async_select h none") == "ok");
        CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
        CHECK(s.b.ask("blocking h on") == "ok");
        REQUIRE(s.a.ask("async_select h none") == "ok"); // mask zero does so as well
        CHECK(s.b.ask("blocking h") == "no");
    }
    SECTION("closing its handle cancels it, closing another does not (REG-14)")
    {
        test::peer c(s.segment.name());
        REQUIRE(test::share(s.a, "h", c) == "ok");
        REQUIRE(s.b.ask("close h") == "ok");
        s.x.send("x");
        CHECK(next_message(s.a) == "h read");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(c.ask("query h") == "nobody");
    }
    SECTION("a socket that is accepted in its process starts with it, in another without (REG-15, REG-16)")
    {
        const auto port = static_cast<std::uint16_t>(std::stoi(s.a.ask("listener l")));
        REQUIRE(test::share(s.a, "l", s.b) == "ok");
        REQUIRE(s.a.ask("async_select l accept|read|write") == "ok");
        auto x = test::plain_socket::connect(port);
        CHECK(next_message(s.a) == "l accept");
        REQUIRE(s.a.ask("accept l s") == "ok");
        CHECK(next_message(s.a) == "s write");
        x.send("x");
        CHECK(next_message(s.a) == "s read");
        auto x2 = test::plain_socket::connect(port);
        CHECK(next_message(s.a) == "l accept");
        REQUIRE(s.b.ask("accept l s") == "ok");
        CHECK(s.b.ask("query s") == "nobody");
        CHECK(s.b.ask("receive s 1") == "error: operation_would_block");
        x2.send("x");
        CHECK(no_message(s.a));
    }
}
