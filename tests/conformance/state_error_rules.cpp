// STATE-8 and STATE-9: errors that all handles to a socket have in common.
#include "conformance/state_steps.hpp"
#include "support/eventually.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <system_error>

#include <sys/socket.h>

namespace ss = sharedsock;

using test::state::closed_port;
using test::state::shared_connection;
using test::state::two_processes;

TEST_CASE("SO_ERROR is read and cleared for all handles, also when the detector has collected it", "[STATE-8]")
{
    two_processes s;
    closed_port nobody;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e connect") == "ok");
    CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
    REQUIRE(s.a.ask("wait e 5000") == "yes");
    CHECK(s.b.ask("option h error") == "connection_refused");
    CHECK(s.a.ask("option h error") == "none");
    CHECK(s.b.ask("option h error") == "none");
}

TEST_CASE("events and registrations do not clear SO_ERROR", "[STATE-8]")
{
    two_processes s;
    closed_port nobody;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.b.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e connect") == "ok");
    CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
    REQUIRE(s.a.ask("wait e 5000") == "yes");

    SECTION("an enumeration in another process") { REQUIRE(s.b.ask("enum h") == "connect=connection_refused"); }
    SECTION("an enumeration by the owner") { REQUIRE(s.a.ask("enum h e") == "connect=connection_refused"); }
    SECTION("a registration of another process") { REQUIRE(s.b.ask("event_select h e connect|close") == "ok"); }
    SECTION("a cancellation") { REQUIRE(s.b.ask("cancel h") == "ok"); }
    SECTION("a close of the owner's handle, and a new handle")
    {
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(test::share(s.b, "h", s.a) == "ok");
    }
    SECTION("the owner's death")
    {
        s.a.process().kill(SIGKILL);
        REQUIRE(s.a.process().wait() == -SIGKILL);
        CHECK(s.b.ask("option h error") == "connection_refused");
        CHECK(s.b.ask("option h error") == "none");
        return;
    }
    CHECK(s.a.ask("option h error") == "connection_refused");
    CHECK(s.b.ask("option h error") == "none");
}

TEST_CASE("the next attempt to connect clears SO_ERROR for all handles", "[STATE-8]")
{
    two_processes s;
    closed_port nobody;
    test::plain_listener live;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e connect") == "ok");
    CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
    REQUIRE(s.a.ask("wait e 5000") == "yes");
    REQUIRE(s.a.ask("enum h e") == "connect=connection_refused");
    CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block");
    auto x = live.accept();
    REQUIRE(s.a.ask("wait e 5000") == "yes");
    CHECK(s.a.ask("enum h e") == "connect");
    CHECK(s.a.ask("option h error") == "none");
    CHECK(s.b.ask("option h error") == "none");
}

TEST_CASE("a call that returns the error of the socket clears SO_ERROR, whether or not the detector has collected it", "[STATE-8]")
{
    shared_connection s;
    REQUIRE(s.b.ask("event e") == "ok");
    const bool collected = GENERATE(false, true);
    INFO("collected: " << collected);
    if (collected) REQUIRE(s.b.ask("event_select h e close") == "ok");
    s.x.reset();
    if (collected) {
        REQUIRE(s.b.ask("wait e 5000") == "yes");
        REQUIRE(s.b.ask("enum h e") == "close=connection_reset");
    }
    SECTION("a receive")
    {
        CHECK(test::eventually([&] { return s.a.ask("receive h 1 dontwait") == "error: connection_reset"; }));
    }
    SECTION("a send")
    {
        CHECK(test::eventually([&] { return s.a.ask("send h x dontwait") == "error: connection_reset"; }));
    }
    CHECK(s.b.ask("option h error") == "none");
    CHECK(s.a.ask("option h error") == "none");
    CHECK(s.b.ask("receive h 1") == "error: connection_reset"); // STATE-9
}

TEST_CASE("an error that ended the connection is returned for ever, through every handle", "[STATE-9]")
{
    shared_connection s;

    SECTION("to each caller")
    {
        s.x.reset();
        CHECK(s.a.ask("receive h 1") == "error: connection_reset");
        CHECK(s.a.ask("receive h 1") == "error: connection_reset");
        CHECK(s.b.ask("receive h 1") == "error: connection_reset");
        CHECK(s.b.ask("send h x") == "error: connection_reset");
        CHECK(s.a.ask("shutdown h send") == "error: connection_reset");
    }
    SECTION("after the data that came before it")
    {
        s.x.send("four");
        s.x.reset();
        CHECK(s.a.ask("receive h 9") == "\"four\"");
        CHECK(s.b.ask("receive h 9") == "error: connection_reset");
        CHECK(s.a.ask("receive h 9") == "error: connection_reset");
    }
    SECTION("though SO_ERROR was read")
    {
        s.x.reset();
        CHECK(s.a.ask("option h error") == "connection_reset");
        CHECK(s.a.ask("option h error") == "none");
        CHECK(s.b.ask("receive h 1") == "error: connection_reset");
    }
}

TEST_CASE("no process reads an orderly end after a reset, even if its error was lost", "[STATE-9]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    std::byte byte[4];
    ss::error_code ec;

    SECTION("with its only reader")
    {
        c.reset_peer();
        REQUIRE(::recv(c.socket.native_handle(), byte, 1, 0) == -1); // as if the reader had died before it could note the reset
        REQUIRE(errno == ECONNRESET);
        REQUIRE(::recv(c.socket.native_handle(), byte, 1, 0) == 0); // the kernel shows an end from then on
        c.socket.receive(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
        c.socket.send(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
    }
    SECTION("with its only reader, before a send")
    {
        c.reset_peer();
        REQUIRE(::recv(c.socket.native_handle(), byte, 1, 0) == -1);
        c.socket.send(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
        c.socket.receive(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
    }
}

TEST_CASE("an orderly end stays one though the peer answers later sends with a reset", "[STATE-9]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    std::byte room[8];
    ss::error_code ec;
    c.say("bye");
    c.close_peer();

    SECTION("when it was received before")
    {
        CHECK(c.socket.receive(room) == 3);
        CHECK(c.socket.receive(room) == 0);
        c.socket.send("hello?");                                                  // the peer's kernel answers with a reset
        CHECK(test::eventually([&] { return c.socket.send(room, 0, ec) == 0; })); // then there is no peer to send to
        CHECK(ec == std::errc::broken_pipe);
        CHECK(c.socket.receive(room) == 0);
    }
    SECTION("when it is received after")
    {
        c.socket.send("hello?");
        CHECK(c.socket.receive(room) == 3);
        CHECK(c.socket.receive(room) == 0);
        CHECK(c.socket.receive(room) == 0);
        c.socket.send(room, 0, ec);
        CHECK(ec == std::errc::broken_pipe);
        CHECK(c.socket.receive(room) == 0);
    }
    SECTION("when both sides have ended")
    {
        c.socket.shutdown(SHUT_WR);
        CHECK(c.socket.receive(room) == 3);
        CHECK(c.socket.receive(room) == 0);
        CHECK(c.socket.receive(room) == 0);
    }
}

TEST_CASE("an orderly end stays one for all handles after several sends of several processes", "[STATE-9]")
{
    shared_connection s;
    s.x.send("bye");
    s.x.close();
    const auto send_until_refused = [&] { // the peer's kernel answers the first with a reset
        for (test::peer* const one : {&s.a, &s.b, &s.a})
            REQUIRE(
                test::eventually([&] { return one->ask("send h x dontwait") == "error: broken_pipe"; }, std::chrono::seconds(5)));
    };
    const auto end_stays = [&] {
        for (int round = 0; round < 2; ++round)
            for (test::peer* const one : {&s.a, &s.b})
                CHECK(one->ask("receive h 1") == "end");
    };

    SECTION("when it was received before the sends")
    {
        CHECK(s.a.ask("receive h 9") == "\"bye\"");
        CHECK(s.b.ask("receive h 9") == "end");
        send_until_refused();
    }
    SECTION("when it was received between the sends")
    {
        send_until_refused();
        CHECK(s.a.ask("receive h 9") == "\"bye\"");
        CHECK(s.b.ask("receive h 9") == "end");
        send_until_refused();
    }
    SECTION("when it is received after the sends")
    {
        send_until_refused();
        CHECK(s.b.ask("receive h 9") == "\"bye\"");
    }
    SECTION("when SO_ERROR is read between the sends")
    {
        send_until_refused();
        s.b.ask("option h error");
        CHECK(s.b.ask("receive h 9") == "\"bye\"");
        send_until_refused();
        s.a.ask("option h error");
    }
    SECTION("when a registration looks between the sends")
    {
        REQUIRE(s.b.ask("event e") == "ok");
        REQUIRE(s.b.ask("event_select h e read|close") == "ok");
        REQUIRE(s.b.ask("wait e 5000") == "yes");
        CHECK(s.b.ask("enum h e") == "read");
        send_until_refused();
        CHECK(s.b.ask("receive h 9") == "\"bye\"");
        REQUIRE(s.b.ask("wait e 5000") == "yes");
        s.b.ask("enum h e");
    }
    end_stays();
    send_until_refused();
    end_stays();
}
