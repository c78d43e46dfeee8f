// STATE: what all handles to a socket have in common. One test for each rule of the specification.
#include "attach/handle.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <algorithm>
#include <csignal>

namespace ss = sharedsock;

namespace {

// S of the matrix: A has made it, B has redeemed a ticket for it, X is at its other end.
struct shared_connection {
    shared_connection()
    {
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        x = listener.accept();
        REQUIRE(test::share(a, "h", b) == "ok");
    }

    test::scratch_segment segment;
    test::peer a{segment.name()};
    test::peer b{segment.name()};
    test::plain_listener listener;
    test::plain_socket x{-1};
};

// Two processes and nothing shared yet.
struct two_processes {
    test::scratch_segment segment;
    test::peer a{segment.name()};
    test::peer b{segment.name()};
};

std::uint16_t port_of(const std::string& text) { return static_cast<std::uint16_t>(std::stoi(text)); }

// A port of 127.0.0.1 on which nobody listens, for as long as the object lives.
struct closed_port {
    closed_port() : taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        auto address   = ss::socket_address::loopback(0);
        socklen_t size = address.size();
        if (::bind(taken.descriptor(), address.data(), size) != 0 || ::getsockname(taken.descriptor(), address.data(), &size) != 0)
            throw std::system_error(errno, std::generic_category(), "closed_port");
        text = std::to_string(address.port());
    }
    test::plain_socket taken;
    std::string text;
};

} // namespace

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
    SECTION("when somebody collected the error")
    {
        REQUIRE(s.a.ask("blocking h off") == "ok");
        CHECK(s.a.ask("connect h " + nobody.text) == "error: operation_would_block");
        CHECK(test::eventually([&] { return s.b.ask("option h error") == "connection_refused"; }));
        CHECK(s.a.ask("receive h 1") == "error: not_connected"); // and no end of a connection that never was
        CHECK(s.b.ask("connect h " + std::to_string(live.port())) == "error: operation_would_block");
        auto x = live.accept();
        CHECK(s.a.ask("connect h " + std::to_string(live.port())) == "error: already_connected");
    }
    SECTION("when nobody was told")
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
    CHECK(s.b.ask("send h x") == "error: broken_pipe"); // and no SIGPIPE, or B could not answer
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
}

TEST_CASE("an error that ended the connection is returned for ever, through every handle", "[STATE-9]")
{
    shared_connection s;

    SECTION("to whoever calls")
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

TEST_CASE("nobody reads an orderly end after a reset, even if its error was lost", "[STATE-9]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    std::byte byte[4];
    ss::error_code ec;

    SECTION("with its only reader")
    {
        c.reset_peer();
        REQUIRE(::recv(c.socket.native_handle(), byte, 1, 0) == -1); // as if he had died before he could say so
        REQUIRE(errno == ECONNRESET);
        REQUIRE(::recv(c.socket.native_handle(), byte, 1, 0) == 0); // what the kernel shows from then on
        c.socket.receive(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
        c.socket.send(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
    }
    SECTION("and a sender comes first")
    {
        c.reset_peer();
        REQUIRE(::recv(c.socket.native_handle(), byte, 1, 0) == -1);
        c.socket.send(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
        c.socket.receive(byte, 0, ec);
        CHECK(ec == std::errc::connection_reset);
    }
}

TEST_CASE("an orderly end stays one, whatever the peer says to what is sent after it", "[STATE-9]")
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
        c.socket.send("is anybody there?");                                       // the peer's kernel answers with a reset
        CHECK(test::eventually([&] { return c.socket.send(room, 0, ec) == 0; })); // and then there is nowhere to send to
        CHECK(ec == std::errc::broken_pipe);
        CHECK(c.socket.receive(room) == 0);
    }
    SECTION("when it is received after")
    {
        c.socket.send("is anybody there?");
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

TEST_CASE("operations that several processes have started are all honoured", "[STATE-11]")
{
    shared_connection s;
    REQUIRE(s.a.ask("start t receive h 1") == "ok");
    REQUIRE(s.b.ask("start t receive h 1") == "ok");
    CHECK(s.b.ask("send h x") == "1");
    CHECK(s.x.receive(1) == "x");
    s.x.send("12");
    std::string both[] = {s.a.ask("join t"), s.b.ask("join t")};
    std::sort(std::begin(both), std::end(both));
    CHECK(both[0] == "\"1\"");
    CHECK(both[1] == "\"2\"");
}

TEST_CASE("concurrent sends may interleave and lose nothing", "[STATE-12]")
{
    shared_connection s;
    REQUIRE(s.a.ask("start t send_many h 1000000 a") == "ok");
    REQUIRE(s.b.ask("start t send_many h 1000000 b") == "ok");
    const std::string all = s.x.receive(2'000'000);
    CHECK(std::count(all.begin(), all.end(), 'a') == 1'000'000);
    CHECK(std::count(all.begin(), all.end(), 'b') == 1'000'000);
    CHECK(s.a.ask("join t") == "1000000");
    CHECK(s.b.ask("join t") == "1000000");
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
