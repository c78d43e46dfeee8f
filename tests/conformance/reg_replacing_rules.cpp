// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// REG-1 to REG-10: a registration is made, replaces another, is cancelled, lasts, and can be asked for.
#include "conformance/shared_connection.hpp"
#include "support/eventually.hpp"

#include <string>

#include <sys/socket.h>

using test::next_message;
using test::no_message;
using test::quiet;
using test::shared_connection;
using test::shared_listener;
using test::shared_with_handler;
using test::signalled;
using test::word;

TEST_CASE("a registration enters what it nominates in the record and signals its event object", "[REG-1]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    CHECK(quiet(s.a));
    s.x.send("x");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum h") == "read");
}

TEST_CASE("a socket has one registration over all handles in all processes", "[REG-2]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.b.ask("event_select h e write") == "ok");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "write");
    s.x.send("x");
    CHECK(quiet(s.a));
    CHECK(s.a.ask("enum h") == "none");
    CHECK(quiet(s.b)); // B has not nominated READ
}

TEST_CASE("two handles of one process have one registration between them", "[REG-2]")
{
    shared_connection s;
    REQUIRE(s.a.ask("redeem h2 " + s.a.ask("duplicate h self")) == "ok");
    REQUIRE(s.a.ask("event e2") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("event_select h2 e2 read") == "ok");
    s.x.send("x");
    CHECK(signalled(s.a, "e2"));
    CHECK(quiet(s.a));
    CHECK(word(s.b.ask("query h"), "handle") == s.a.ask("handle_id h2"));
}

TEST_CASE("a new registration replaces the former one entirely", "[REG-3]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event e2") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("event_select h e2 write") == "ok");
    CHECK(s.a.ask("enum h e2") == "write");
    s.x.send("x");
    CHECK(quiet(s.a));
    CHECK(quiet(s.a, "e2"));
    CHECK(s.a.ask("enum h e2") == "none");
    CHECK(word(s.b.ask("query h"), "mask") == "write");
}

TEST_CASE("a handler and an event object displace each other", "[REG-4]")
{
    shared_with_handler s;

    SECTION("the handler the event object")
    {
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        REQUIRE(s.a.ask("async_select h read") == "ok");
        CHECK(word(s.b.ask("query h"), "kind") == "async_select");
        s.x.send("x");
        CHECK(next_message(s.a) == "h read");
        CHECK(quiet(s.b));
    }
    SECTION("the event object the handler")
    {
        REQUIRE(s.a.ask("async_select h read") == "ok");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(word(s.b.ask("query h"), "kind") == "event_select");
        s.x.send("x");
        CHECK(signalled(s.b));
        CHECK(no_message(s.a));
    }
}

TEST_CASE("mask zero through any handle cancels the registration", "[REG-5]")
{
    SECTION("of an event object")
    {
        shared_connection s;
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        s.x.send("x");
        CHECK(quiet(s.a));
        CHECK(s.a.ask("query h") == "nobody");
        CHECK(s.b.ask("query h") == "nobody");
    }
    SECTION("of a handler")
    {
        shared_with_handler s;
        REQUIRE(s.a.ask("async_select h read") == "ok");
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        s.x.send("x");
        CHECK(no_message(s.a));
        CHECK(s.b.ask("query h") == "nobody");
    }
    SECTION("of either kind through async_select")
    {
        shared_with_handler s;
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        REQUIRE(s.a.ask("async_select h none") == "ok");
        s.x.send("x");
        CHECK(quiet(s.b));
        CHECK(s.b.ask("query h") == "nobody");
    }
}

TEST_CASE("registering clears the record, and so does cancelling", "[REG-6]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    REQUIRE(s.a.ask("receive h 10") == "\"x\"");

    SECTION("registering anew in the same process")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        CHECK(s.a.ask("enum h") == "none");
    }
    SECTION("registering in another")
    {
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(s.a.ask("enum h") == "none");
    }
    SECTION("cancelling")
    {
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        CHECK(s.a.ask("enum h") == "none");
    }
}

TEST_CASE("a condition that holds when a registration is made is recorded before the call returns", "[REG-7]")
{
    SECTION("READ, and again after it was enumerated and nothing received")
    {
        shared_connection s;
        s.x.send("abc");
        REQUIRE(s.a.ask("receive h 3 peek all") == "\"abc\""); // the data has arrived
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "read");
        CHECK(s.b.ask("enum h e") == "none");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "read");
    }
    SECTION("ACCEPT")
    {
        shared_listener s;
        auto x = test::plain_socket::connect(s.port); // returns when the connection is in the queue, or about to be
        REQUIRE(test::eventually([&] {
            REQUIRE(s.b.ask("event_select l e accept") == "ok");
            return s.b.ask("sig e") == "yes";
        }));
        CHECK(s.b.ask("enum l e") == "accept");
    }
    SECTION("WRITE")
    {
        shared_connection s;
        REQUIRE(s.b.ask("event_select h e write") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "write");
    }
    SECTION("CLOSE")
    {
        shared_connection s;
        s.x.close();
        REQUIRE(s.a.ask("receive h 1") == "end");
        REQUIRE(s.b.ask("event_select h e close") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "close");
    }
    SECTION("OOB")
    {
        shared_connection s;
        s.x.send("!", MSG_OOB);
        REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 oob peek") == "\"!\""; }));
        REQUIRE(s.b.ask("event_select h e oob") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "oob");
    }
}

TEST_CASE("replacing and cancelling do not touch any event object", "[REG-8]")
{
    shared_connection s;

    SECTION("one that is signalled stays so")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send("x");
        REQUIRE(signalled(s.a));
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        CHECK(s.a.ask("sig e") == "yes");
        CHECK(s.a.ask("enum h") == "none");
        CHECK(s.a.ask("sig e") == "yes");
    }
    SECTION("one that is not is not set by its replacement")
    {
        REQUIRE(s.a.ask("event e2") == "ok");
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        REQUIRE(s.a.ask("event_select h e2 read") == "ok");
        CHECK(quiet(s.a));
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(quiet(s.a, "e2"));
    }
}

TEST_CASE("a registration lasts until it is replaced, cancelled or closed", "[REG-9]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string registration = s.a.ask("query h");
    for (int round = 0; round < 100; ++round) {
        s.x.send("x");
        REQUIRE(s.a.ask("poll e 20000") == "yes");
        REQUIRE(signalled(s.a));
        REQUIRE(s.a.ask("enum h e") == "read");
        REQUIRE(s.b.ask("poll e 0") == "no");
        REQUIRE(s.a.ask("receive h 10") == "\"x\"");
        REQUIRE(s.b.ask("enum h") == "none");
    }
    CHECK(s.b.ask("query h") == registration);
}

TEST_CASE("a displaced owner is not told, and may ask who it is now", "[REG-10]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string before = s.a.ask("query h");
    REQUIRE(word(before, "owner") == s.a.ask("self"));
    REQUIRE(s.b.ask("event_select h e write") == "ok");
    CHECK(quiet(s.a));
    const std::string now = s.a.ask("query h");
    CHECK(word(now, "owner") == s.b.ask("self"));
    CHECK(word(now, "handle") == s.b.ask("handle_id h"));
    CHECK(word(now, "kind") == "event_select");
    CHECK(word(now, "mask") == "write");
    CHECK(std::stoi(word(now, "epoch")) == std::stoi(word(before, "epoch")) + 1);
    CHECK(s.b.ask("query h") == now);
}
