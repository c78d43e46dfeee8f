// The network events when something goes wrong beside them: processes that die or stand still in the middle of their calls,
// signals, and descriptor numbers that come again.
#include "conformance/event_steps.hpp"

#include <csignal>
#include <cstddef>
#include <random>
#include <string>

#include <poll.h>
#include <sys/socket.h>

using test::connection_of;
using test::next_events;
using test::quiet;
using test::shared_connection;
using test::shared_listener;
using test::signalled;
using test::silent;

namespace {

// Some moment within the next milliseconds: of a fault, which may come at any.
void some_moment()
{
    static std::mt19937 random(20'260'101);
    ::poll(nullptr, 0, static_cast<int>(random() % 4));
}

// The calls in whose middle another process may be, on S with data, urgent data and room.
const char* const calls[] = {
    "receive h 3 dontwait", "receive h 3 peek dontwait", "receive h 1 oob", "enum h", "send h x dontwait", "query h",
};

// Receives as an event-driven program does until it has `last`.
bool receives_until(test::peer& a, const std::string& last)
{
    for (const test::deadline end; !end.passed();) {
        if (!signalled(a)) return false;
        a.ask("enum h e");
        if (a.ask("receive h 100000").find(last) != std::string::npos) return true;
    }
    return false;
}

// Takes all that has come and comes until there is a pause.
void drain(test::plain_socket& x)
{
    std::string room(1 << 20, ' ');
    while (!x.quiet())
        REQUIRE(::recv(x.descriptor(), room.data(), room.size(), 0) > 0);
}

std::string own_port(const test::plain_socket& x)
{
    sharedsock::socket_address address;
    socklen_t size = sharedsock::socket_address::capacity();
    REQUIRE(::getsockname(x.descriptor(), address.data(), &size) == 0);
    address.resize(size);
    return std::to_string(address.port());
}

void send_some(test::plain_socket& x)
{
    for (int i = 0; i < 20; ++i) {
        x.send("0123456789");
        x.send("!", MSG_OOB);
    }
}

} // namespace

TEST_CASE("the owner misses nothing when another process is killed in the middle of its calls", "[EVT-3][G4][G7]")
{
    const std::string kind = GENERATE("tcp", "unix");
    const std::string call = GENERATE(from_range(std::begin(calls), std::end(calls)));
    INFO(kind << ": " << call);
    connection_of s(kind);
    REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
    for (int round = 0; round < 3; ++round) {
        test::peer c(s.segment.name());
        REQUIRE(test::share(s.a, "h", c) == "ok");
        REQUIRE(c.ask("start t again " + call) == "ok");
        send_some(s.x);
        some_moment();
        c.process().kill(SIGKILL);
        REQUIRE(c.process().wait() == -SIGKILL);
        const std::string last(1, static_cast<char>('A' + round));
        s.x.send(last);
        CHECK(receives_until(s.a, last));
        s.x.send("?", MSG_OOB);
        CHECK(test::eventually([&] { return s.a.ask("receive h 1 oob") == "\"?\""; }));
        while (s.a.ask("receive h 100000").front() == '"') {
        }
    }
}

TEST_CASE("the owner misses nothing when another process is stopped in the middle of its calls", "[EVT-3][G4][G7]")
{
    const std::string kind = GENERATE("tcp", "unix");
    const std::string call = GENERATE(from_range(std::begin(calls), std::end(calls)));
    INFO(kind << ": " << call);
    connection_of s(kind);
    REQUIRE(s.a.ask("event_select h e read|oob") == "ok");
    REQUIRE(s.b.ask("start t again " + call) == "ok");
    send_some(s.x);
    some_moment();
    s.b.process().stop();
    s.x.send("Z");
    CHECK(receives_until(s.a, "Z"));
    s.b.process().resume();
}

TEST_CASE("an event that a dead process had disarmed, or whose re-enabling it did not make, comes again", "[EVT-3][G4]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("0123456789");
    REQUIRE(next_events(s.a) == "read");
    REQUIRE(quiet(s.a)); // READ waits for a receive, by any process

    SECTION("of a holder that was there before the registration") {}
    SECTION("of one that came after it")
    {
        REQUIRE(s.b.ask("close h") == "ok");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(quiet(s.a));
    }
    SECTION("while the owner merely polls")
    {
        REQUIRE(s.a.ask("poll e 0") == "no");
        REQUIRE(s.a.ask("start t poll e 20000") == "ok");
        s.b.process().kill(SIGKILL);
        CHECK(s.a.ask("join t") == "yes");
    }
    s.b.process().kill(SIGKILL);
    REQUIRE(s.b.process().wait() == -SIGKILL);
    CHECK(next_events(s.a) == "read");
    CHECK(quiet(s.a));
}

TEST_CASE("a listener's owner misses no connection when another process is killed in the middle of accepts", "[EVT-15][G4][G7]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e accept") == "ok");
    for (int round = 0; round < 3; ++round) {
        test::peer c(s.segment.name());
        REQUIRE(test::share(s.a, "l", c) == "ok");
        REQUIRE(c.ask("blocking l") == "no");
        REQUIRE(c.ask("start t again accept l s") == "ok");
        for (int i = 0; i < 10; ++i)
            test::plain_socket::connect(s.port);
        some_moment();
        c.process().kill(SIGKILL);
        REQUIRE(c.process().wait() == -SIGKILL);
        auto last  = test::plain_socket::connect(s.port);
        bool found = false;
        for (const test::deadline end; !found && !end.passed();) {
            REQUIRE(signalled(s.a));
            s.a.ask("enum l e");
            found = s.a.ask("accept l s") == "ok" && test::port_in(s.a.ask("peer s")) == own_port(last);
        }
        CHECK(found);
    }
}

TEST_CASE("WRITE reaches the owner when the process that filled the queue is killed", "[EVT-11][G4][G7]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e write") == "ok");
    REQUIRE(next_events(s.a) == "write");
    REQUIRE(s.b.ask("start t again send_many h 100000") == "ok");
    REQUIRE(s.x.receive(1'000'000).size() == 1'000'000); // B is in the middle of it
    some_moment();
    s.b.process().kill(SIGKILL);
    REQUIRE(s.b.process().wait() == -SIGKILL);
    REQUIRE(s.a.ask("send_until_full h") != "");
    drain(s.x);
    CHECK(next_events(s.a) == "write");
}

TEST_CASE("signals interrupt no call and lose no event", "[EVT-27][DUP-18]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("signals 700") == "ok");
    REQUIRE(s.b.ask("signals 500") == "ok");

    SECTION("events and what enables them")
    {
        REQUIRE(s.a.ask("event_select h e read|oob|write|close") == "ok");
        REQUIRE(next_events(s.a) == "write");
        for (int i = 0; i < 100; ++i) {
            s.x.send("xy");
            REQUIRE(next_events(s.a) == "read");
            REQUIRE(s.b.ask("receive h 1 all") == "\"x\"");
            REQUIRE(next_events(s.a) == "read");
            REQUIRE(s.a.ask("receive h 10") == "\"y\"");
        }
        s.x.send("!", MSG_OOB);
        REQUIRE(next_events(s.a) == "oob");
        REQUIRE(s.b.ask("receive h 1 oob") == "\"!\"");
        const auto sent = static_cast<std::size_t>(std::stoul(s.b.ask("send_until_full h")));
        CHECK(quiet(s.a));
        REQUIRE(s.x.receive(sent).size() == sent);
        CHECK(next_events(s.a) == "write");
        s.x.close();
        CHECK(next_events(s.a) == "close");
    }
    SECTION("calls that wait")
    {
        REQUIRE(s.a.ask("start t receive_count h 300") == "ok");
        for (int i = 0; i < 300; ++i)
            s.x.send("x");
        CHECK(s.a.ask("join t") == "300");
        REQUIRE(s.b.ask("start t send_many h 8000000") == "ok");
        REQUIRE(s.x.receive(8'000'000).size() == 8'000'000);
        CHECK(s.b.ask("join t") == "8000000");
    }
    SECTION("attempts to connect, and turns")
    {
        test::plain_listener listener;
        for (int i = 0; i < 20; ++i) {
            REQUIRE(s.a.ask("open c tcp") == "ok");
            REQUIRE(s.a.ask("connect c " + std::to_string(listener.port())) == "ok");
            REQUIRE(s.a.ask("event_select h e read") == "ok");
            REQUIRE(s.b.ask("event_select h e read") == "ok");
        }
    }
    REQUIRE(s.a.ask("signals 0") == "ok");
    REQUIRE(s.b.ask("signals 0") == "ok");
}

TEST_CASE("a descriptor number that is used again brings no event of what had it before", "[EVT-8][REG-14][fault-73]")
{
    shared_connection s; // B keeps S open: the kernel would forget the epoll entry otherwise
    test::plain_listener listener;
    REQUIRE(s.a.ask("event_select h e read|close") == "ok");
    const std::string number = s.a.ask("fd h");
    s.x.send("x"); // the event of S is on the way
    REQUIRE(test::arrives(s.b, "x"));

    SECTION("by another shared socket with the same event object")
    {
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.a.ask("dial h " + std::to_string(listener.port())) == "ok");
        auto y = listener.accept();
        REQUIRE(s.a.ask("fd h") == number);
        REQUIRE(s.a.ask("event_select h e read|close") == "ok");
        s.x.send("x");
        CHECK(silent(s.a));
        s.x.close();
        CHECK(silent(s.a));
        y.send("y");
        CHECK(next_events(s.a) == "read");
        CHECK(s.a.ask("receive h 10") == "\"y\"");
    }
    SECTION("by one that another object watches")
    {
        REQUIRE(s.a.ask("event e2") == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.a.ask("dial h " + std::to_string(listener.port())) == "ok");
        auto y = listener.accept();
        REQUIRE(s.a.ask("event_select h e2 read") == "ok");
        y.send("y");
        CHECK(signalled(s.a, "e2"));
        CHECK(quiet(s.a));
        CHECK(s.a.ask("enum h e2") == "read");
    }
    SECTION("after it was taken over by another process, and closed here")
    {
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.a.ask("dial h " + std::to_string(listener.port())) == "ok");
        auto y = listener.accept();
        REQUIRE(s.a.ask("fd h") == number);
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send("x");
        CHECK(silent(s.a));
        CHECK(next_events(s.b) == "read");
        y.send("y");
        CHECK(next_events(s.a) == "read");
    }
    SECTION("by a raw descriptor, which the library does not see")
    {
        REQUIRE(s.a.ask("release h") == number);
        s.x.send("x");
        CHECK(quiet(s.a));
    }
}

TEST_CASE("an idle owner does not get busier with what has happened", "[EVT-27]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e all") == "ok");
    const auto used_asleep = [&] {
        const long before = std::stol(s.a.ask("cpu"));
        s.a.ask("wait e 300");
        return std::stol(s.a.ask("cpu")) - before;
    };
    REQUIRE(next_events(s.a) == "write");
    for (int i = 0; i < 300; ++i) { // events, foreign receives, foreign enumerations, take-overs and a death
        s.x.send("xy");
        s.b.ask("receive h 1 dontwait");
        s.b.ask("enum h");
        if (i % 10 == 0) s.b.ask("event_select h e read");
        if (i % 10 == 0) s.a.ask("event_select h e all");
        s.a.ask("receive h 100 dontwait");
        s.a.ask("enum h e");
    }
    s.b.process().kill(SIGKILL);
    REQUIRE(s.b.process().wait() == -SIGKILL);
    while (s.a.ask("wait e 200") == "yes")
        s.a.ask("enum h e");
    CHECK(used_asleep() < 20'000 * test::slowness);
}
