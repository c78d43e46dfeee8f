// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP-11 to DUP-14: the end of a handle, of a socket, of a process.
#include "conformance/dup_steps.hpp"
#include "support/records_in_use.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>

using namespace std::chrono_literals;
using test::either_kind;
using test::peer;
using test::share;
using test::sockets_in_use;
using test::stream_of_a_and_b;

namespace {

constexpr const char* closed = "error: bad_file_descriptor, closed_handle";

} // namespace

TEST_CASE("close releases one descriptor, and what is closed stays closed", "[DUP-11]")
{
    stream_of_a_and_b s(either_kind());
    const std::string number = s.a.ask("fd h");
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("send h x") == closed);
    // Also after another socket has got its number.
    std::string other;
    for (int i = 0; other != number && i < 32; ++i) {
        REQUIRE(s.a.ask("open o" + std::to_string(i) + " tcp") == "ok");
        other = s.a.ask("fd o" + std::to_string(i));
    }
    REQUIRE(other == number);
    CHECK(s.a.ask("send h x") == closed);
    CHECK(s.a.ask("close h") == closed);
    CHECK(s.a.ask("duplicate h " + s.b.pid()) == closed);
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(1) == "b");
}

TEST_CASE("the last close ends the socket and frees its slot", "[DUP-12][G6]")
{
    stream_of_a_and_b s(either_kind());
    REQUIRE(test::share(s.a, "h", s.c) == "ok");
    CHECK(s.count(s.c) == "3");
    SECTION("one by one")
    {
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.x.quiet());
        REQUIRE(s.b.ask("close h") == "ok");
        CHECK(s.x.quiet());
        CHECK(s.count(s.c) == "1");
        REQUIRE(s.c.ask("close h") == "ok");
    }
    SECTION("by the destructor")
    {
        REQUIRE(s.b.ask("drop h") == "ok");
        REQUIRE(s.c.ask("drop h") == "ok");
        CHECK(s.x.quiet());
        REQUIRE(s.a.ask("drop h") == "ok");
    }
    CHECK(s.x.ended());
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("the socket ends with its last descriptor, and its slot is free then", "[DUP-12][G6]")
{
    test::scratch_segment small({.sockets = 1, .processes = 8});
    test::plain_listener listener;
    peer a{small.name()}, b{small.name()}, c{small.name()};
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x = listener.accept();
    REQUIRE(share(a, "h", b) == "ok");
    REQUIRE(share(b, "h", c) == "ok");
    REQUIRE(a.ask("close h") == "ok");
    REQUIRE(b.ask("close h") == "ok");
    CHECK(x.quiet());
    CHECK(a.ask("open more tcp").find("error: no_buffer_space") == 0); // the one slot is in use
    REQUIRE(c.ask("close h") == "ok");
    CHECK(x.ended());
    CHECK(a.ask("open more tcp") == "ok");
}

TEST_CASE("the close type takes effect at the last close", "[DUP-13]")
{
    stream_of_a_and_b s;
    SECTION("a reset")
    {
        REQUIRE(s.a.ask("option h linger 0") == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.x.quiet());
        REQUIRE(s.b.ask("close h") == "ok");
        CHECK(s.x.was_reset());
    }
    SECTION("a lingering close, of which the first closer notices nothing")
    {
        REQUIRE(s.a.ask("option h linger 2") == "ok");
        REQUIRE(s.a.ask("blocking h off") == "ok");
        s.a.ask("send_until_full h");
        CHECK(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("close h") == "error: operation_would_block, would_linger"); // ERR-4
        CHECK(s.b.ask("is_open h") == "yes");
    }
}

TEST_CASE("unsent data is waited for by the last close only", "[DUP-13]")
{
    stream_of_a_and_b s;
    const std::size_t unsent = std::stoul(s.a.ask("send_until_full h"));
    REQUIRE(s.a.ask("option h linger 1000") == "ok");
    CHECK(s.a.ask("close h") == "ok"); // not "the child did not answer in time"
    REQUIRE(s.b.ask("option h linger 1") == "ok");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(s.b.ask("close h") == "ok");
    CHECK(std::chrono::steady_clock::now() - begin >= 900ms);
    CHECK(s.x.receive(unsent).size() == unsent);
    CHECK(s.x.ended());
}

TEST_CASE("the end of a process closes its descriptors and cancels its registration", "[DUP-14][G7]")
{
    stream_of_a_and_b s(either_kind());
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.b.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.x.quiet());

    SECTION("when another process sweeps")
    {
        CHECK(s.c.ask("sweep") == "1");
        CHECK(s.b.ask("query h") == "nobody");
        CHECK(s.count(s.b) == "1");
        CHECK(s.b.ask("event_select h e read") == "ok");
    }
    SECTION("when a survivor registers first")
    {
        CHECK(s.b.ask("event_select h e read") == "ok");
        CHECK(s.b.ask("query h").find("owner=" + s.b.ask("self")) == 0);
        CHECK(s.c.ask("sweep") == "0"); // the survivor has swept, for it watches for deaths now
        CHECK(s.b.ask("query h").find("owner=" + s.b.ask("self")) == 0);
    }
    s.x.send("x");
    CHECK(s.b.ask("wait e 20000") == "yes");
    CHECK(s.b.ask("enum h e") == "read");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("a dead owner owns nothing, even for the process that asks first", "[DUP-14]")
{
    stream_of_a_and_b s;
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.b.ask("query h") == "nobody");
}
