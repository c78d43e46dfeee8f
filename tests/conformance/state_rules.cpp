// STATE: the state that all handles to a socket share. At least one test for each rule; STATE-8 and STATE-9 are in
// state_error_rules.cpp, STATE-11 and STATE-12 in state_operation_rules.cpp.
#include "attach/handle.hpp"
#include "conformance/state_steps.hpp"
#include "support/eventually.hpp"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>

#include <sys/socket.h>

namespace ss = sharedsock;

using test::state::closed_port;
using test::state::port_of;
using test::state::shared_connection;
using test::state::two_processes;

TEST_CASE("a change through one handle is seen through another as soon as the call has returned", "[STATE-1]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event e") == "ok");
    for (int round = 0; round < 1000; ++round) {
        const bool on = round % 2 == 0;
        switch (round / 2 % 3) {
        case 0:
            REQUIRE(s.a.ask(std::string("option h keepalive ") + (on ? "1" : "0")) == "ok");
            REQUIRE(s.b.ask("option h keepalive") == (on ? "1" : "0"));
            break;
        case 1:
            REQUIRE(s.a.ask(std::string("blocking h ") + (on ? "off" : "on")) == "ok");
            REQUIRE(s.b.ask("blocking h") == (on ? "no" : "yes"));
            break;
        default:
            REQUIRE(s.a.ask(on ? "event_select h e read" : "event_select h - none") == "ok");
            REQUIRE((s.b.ask("query h") == "nobody") == !on);
        }
    }
}

TEST_CASE("an option that is set through one handle is read through the others", "[STATE-2]")
{
    shared_connection s;
    CHECK(s.a.ask("option h keepalive 1") == "ok");
    CHECK(s.a.ask("option h nodelay 1") == "ok");
    CHECK(s.b.ask("option h keepalive") == "1");
    CHECK(s.b.ask("option h nodelay") == "1");
    CHECK(s.b.ask("option h rcvbuf 20000") == "ok");
    CHECK(s.a.ask("option h rcvbuf") == s.b.ask("option h rcvbuf"));
    CHECK(s.a.ask("option h rcvbuf") == "40000"); // the kernel doubles it
}

TEST_CASE("the blocking mode belongs to the socket, which begins as a blocking one", "[STATE-3]")
{
    shared_connection s;
    CHECK(s.b.ask("blocking h") == "yes");
    CHECK(s.a.ask("blocking h off") == "ok");
    CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
    CHECK(s.b.ask("blocking h on") == "ok");
    REQUIRE(s.a.ask("start t receive h 1") == "ok");
    CHECK(s.x.quiet());
    CHECK(s.a.ask("running t") == "yes");
    s.x.send("x");
    CHECK(s.a.ask("join t") == "\"x\"");
}

TEST_CASE("a blocking send takes all bytes, and a non-blocking one what there is room for", "[STATE-3]")
{
    shared_connection s;
    constexpr std::size_t much = 20'000'000; // more than all buffers on the way
    REQUIRE(s.a.ask("start t send_many h " + std::to_string(much)) == "ok");
    CHECK(s.x.receive(much).size() == much);
    CHECK(s.a.ask("join t") == std::to_string(much));
    REQUIRE(s.b.ask("blocking h off") == "ok");
    CHECK(std::stoul(s.a.ask("send_many h " + std::to_string(much))) < much);
}

TEST_CASE("addresses, the listening state and the connection state are common", "[STATE-4]")
{
    two_processes s;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    const std::string address = s.a.ask("local h");
    CHECK(s.b.ask("local h") == address);
    CHECK(s.b.ask("listen h") == "ok");
    CHECK(s.a.ask("option h acceptconn") == "1");
    auto x = test::plain_socket::connect(port_of(address.substr(address.find(':') + 1)));
    CHECK(s.a.ask("accept h s") == "ok");
    CHECK(s.a.ask("send s hello") == "5");
    CHECK(x.receive(5) == "hello");
}

TEST_CASE("a socket that one handle connects is connected for all, also for handles that come later", "[STATE-4]")
{
    two_processes s;
    const std::string kind = GENERATE("tcp", "unix", "seqpacket");
    const test::scratch_directory place;
    test::plain_listener internet;
    test::local_listener local(place.path() / "x", kind == "seqpacket" ? SOCK_SEQPACKET : SOCK_STREAM);
    const std::string address = kind == "tcp" ? std::to_string(internet.port()) : local.path();
    REQUIRE(s.a.ask("open h " + kind) == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    for (test::peer* const one : {&s.a, &s.b}) {
        CHECK(one->ask("peer h") == "error: not_connected");
        CHECK(one->ask("receive h 1 dontwait").substr(0, 6) == "error:");
    }
    REQUIRE(s.b.ask("connect h " + address) == "ok");
    auto x = kind == "tcp" ? internet.accept() : local.accept();
    CHECK(s.a.ask("peer h") == (kind == "tcp" ? "127.0.0.1:" + address : address));
    CHECK(s.a.ask("peer h") == s.b.ask("peer h"));
    CHECK(s.a.ask("local h") == s.b.ask("local h"));
    CHECK(s.a.ask("connect h " + address) == "error: already_connected");

    test::peer c{s.segment.name()};
    REQUIRE(test::share(s.a, "h", c) == "ok");
    CHECK(c.ask("peer h") == s.b.ask("peer h"));
    for (test::peer* const one : {&s.a, &s.b, &c}) {
        CHECK(one->ask("send h ping") == "4");
        CHECK(x.receive(4) == "ping");
        x.send("pong");
        CHECK(one->ask("receive h 4") == "\"pong\"");
    }
    x.close();
    for (test::peer* const one : {&s.a, &s.b, &c})
        CHECK(one->ask("receive h 1") == "end");
}

TEST_CASE("the peer of a datagram socket is common: one handle connects, another connects elsewhere", "[STATE-4]")
{
    two_processes s;
    REQUIRE(s.b.ask("open first udp") == "ok");
    REQUIRE(s.b.ask("bind first 0") == "ok");
    REQUIRE(s.b.ask("open second udp") == "ok");
    REQUIRE(s.b.ask("bind second 0") == "ok");
    REQUIRE(s.a.ask("open h udp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("connect h " + s.b.ask("local first")) == "ok");
    CHECK(s.b.ask("peer h") == s.b.ask("local first"));
    CHECK(s.b.ask("send h one") == "3");
    CHECK(s.b.ask("receive first 9") == "\"one\"");
    REQUIRE(s.b.ask("connect h " + s.b.ask("local second")) == "ok");
    CHECK(s.a.ask("peer h") == s.b.ask("local second"));
    CHECK(s.a.ask("send h two") == "3");
    CHECK(s.b.ask("receive second 9") == "\"two\"");
}

TEST_CASE("an attempt to connect is one for all handles while it lasts, and connected is connected for all", "[STATE-5]")
{
    two_processes s;
    test::plain_listener full(0);
    auto in_the_way        = test::plain_socket::connect(full.port()); // the queue has room for one
    const std::string port = std::to_string(full.port());
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(s.a.ask("blocking h off") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");

    CHECK(s.a.ask("connect h " + port) == "error: operation_would_block");
    CHECK(s.b.ask("connect h " + port) == "error: connection_already_in_progress");
    CHECK(s.a.ask("connect h " + port) == "error: connection_already_in_progress");
    auto first = full.accept(); // makes room: the kernel's next try succeeds
    auto x     = full.accept();
    CHECK(test::eventually([&] { return s.b.ask("connect h " + port) == "error: already_connected"; }));
    CHECK(s.a.ask("connect h " + port) == "error: already_connected");
    CHECK(s.b.ask("send h x") == "1");
    CHECK(x.receive(1) == "x");
}

TEST_CASE("after an attempt that failed, any handle may start the next, which succeeds at the first call", "[STATE-5]")
{
    two_processes s;
    closed_port nobody;
    test::plain_listener live;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");

    SECTION("when the owner of the events was told")
    {
        REQUIRE(s.a.ask("event e") == "ok");
        REQUIRE(s.a.ask("event_select h e connect|write|close") == "ok");
        CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
        REQUIRE(s.a.ask("wait e 5000") == "yes");
        CHECK(s.a.ask("enum h e") == "connect=connection_refused");
        CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block");
        auto x = live.accept();
        REQUIRE(s.a.ask("wait e 5000") == "yes");
        CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "error: already_connected");
    }
    SECTION("when the blocking call said so")
    {
        CHECK(s.a.ask("connect h " + nobody.text) == "error: connection_refused");
        CHECK(s.a.ask("option h error") == "none");
        CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "ok");
        auto x = live.accept();
        CHECK(s.a.ask("connect h " + std::to_string(live.port())) == "error: already_connected");
    }
    SECTION("when a process collected the error")
    {
        REQUIRE(s.a.ask("blocking h off") == "ok");
        CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
        CHECK(test::eventually([&] { return s.b.ask("option h error") == "connection_refused"; }));
        CHECK(s.a.ask("receive h 1") == "error: not_connected"); // not the end of a connection that never was
        CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block");
        auto x = live.accept();
        CHECK(s.a.ask("connect h " + std::to_string(live.port())) == "error: already_connected");
    }
    SECTION("when no process was told")
    {
        REQUIRE(s.a.ask("blocking h off") == "ok");
        CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
        CHECK(test::eventually(
            [&] { return s.b.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block"; }));
        auto x = live.accept();
        CHECK(s.a.ask("connect h " + std::to_string(live.port())) == "error: already_connected");
    }
}

TEST_CASE("shutdown acts on the socket, for all handles", "[STATE-6]")
{
    shared_connection s;
    CHECK(s.a.ask("shutdown h send") == "ok");
    CHECK(s.b.ask("send h x") == "error: broken_pipe"); // without SIGPIPE, or B could not answer
    CHECK(s.x.ended());
    s.x.send("still here");
    CHECK(s.b.ask("receive h 10") == "\"still here\"");
    s.x.close();
    CHECK(s.a.ask("receive h 1") == "end");
}

TEST_CASE("there is one receive queue and one queue of connections", "[STATE-7]")
{
    SECTION("a byte goes to one receive, and peeking removes nothing")
    {
        shared_connection s;
        s.x.send("q");
        REQUIRE(s.a.ask("receive h 1 peek") == "\"q\"");
        CHECK(s.b.ask("receive h 1 peek") == "\"q\"");
        CHECK(s.b.ask("receive h 1") == "\"q\"");
        CHECK(s.a.ask("receive h 1 dontwait") == "error: operation_would_block");
    }
    SECTION("a connection goes to one accept")
    {
        two_processes s;
        const std::uint16_t port = port_of(s.a.ask("listener l"));
        REQUIRE(test::share(s.a, "l", s.b) == "ok");
        REQUIRE(s.a.ask("blocking l off") == "ok");
        auto first  = test::plain_socket::connect(port);
        auto second = test::plain_socket::connect(port);
        CHECK(s.a.ask("accept l s") == "ok");
        CHECK(s.b.ask("accept l s") == "ok");
        CHECK(s.a.ask("peer s") != s.b.ask("peer s"));
        CHECK(s.a.ask("accept l t") == "error: operation_would_block");
    }
}

TEST_CASE("close-on-exec and being open belong to one handle alone", "[STATE-10]")
{
    shared_connection s;
    CHECK(s.a.ask("close_on_exec h off") == "no");
    CHECK(s.b.ask("close_on_exec h") == "yes");
    CHECK(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("is_open h") == "no");
    CHECK(s.a.ask("send h x") == "error: bad_file_descriptor, closed_handle");
    CHECK(s.b.ask("is_open h") == "yes");
    CHECK(s.b.ask("send h x") == "1");
    CHECK(s.x.receive(1) == "x");
}

TEST_CASE("an accepted socket starts with the properties of its listener, as one of its own", "[STATE-13]")
{
    two_processes s;
    const std::uint16_t port = port_of(s.a.ask("listener l"));
    REQUIRE(test::share(s.a, "l", s.b) == "ok");
    REQUIRE(s.b.ask("option l keepalive 1") == "ok");
    REQUIRE(s.b.ask("option l linger 5") == "ok");
    REQUIRE(s.b.ask("option l nodelay 1") == "ok");
    REQUIRE(s.b.ask("blocking l off") == "ok");
    auto x = test::plain_socket::connect(port);
    REQUIRE(s.a.ask("accept l s") == "ok");
    CHECK(s.a.ask("option s keepalive") == "1");
    CHECK(s.a.ask("option s linger") == "5");
    CHECK(s.a.ask("option s nodelay") == "1");
    CHECK(s.a.ask("receive s 1") == "error: operation_would_block");

    CHECK(s.a.ask("option s keepalive 0") == "ok");
    CHECK(s.a.ask("option s linger off") == "ok");
    CHECK(s.a.ask("blocking s on") == "ok");
    CHECK(s.b.ask("option l keepalive") == "1");
    CHECK(s.b.ask("option l linger") == "5");
    CHECK(s.b.ask("blocking l") == "no");
    CHECK(s.a.ask("id s") != s.a.ask("id l"));
}

SHAREDSOCK_CHILD_ROLE("holds the lock of a socket")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    const ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    ss::error_code ec;
    const ss::detail::membership::slot_guard guard(*segment.attachment()->member(), socket.impl()->socket().index, ec);
    role.say(guard ? "holding" : ec.message());
    role.hear();
    return 0;
}

TEST_CASE("a socket stays usable when a process dies that holds its lock", "[STATE-14]")
{
    shared_connection s;
    test::child_process holder("holds the lock of a socket", {s.segment.name()});
    holder.wait_for("ready");
    holder.tell(s.a.ask("duplicate h " + std::to_string(holder.pid())));
    holder.wait_for("holding");
    holder.kill(SIGKILL);
    REQUIRE(holder.wait() == -SIGKILL);

    // Each of these takes the lock, and would end in lock_timeout if it were lost.
    CHECK(s.b.ask("connect h " + std::to_string(s.listener.port())) == "error: already_connected");
    CHECK(s.a.ask("sweep") == "1");
    CHECK(s.b.ask("handles h").substr(0, 2) == "2 ");
    REQUIRE(s.b.ask("event e") == "ok");
    CHECK(s.b.ask("event_select h e read") == "ok");
    s.x.send("x");
    CHECK(s.b.ask("wait e 5000") == "yes");
    CHECK(s.b.ask("enum h e") == "read");
    CHECK(s.a.ask("close h") == "ok");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
}
