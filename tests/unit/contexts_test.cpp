// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Several attachments in one process: the part of the sharing that a sanitizer for threads can see.
#include "support/at_the_end.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

ss::shared_socket duplicate_into(const ss::segment& target, const ss::shared_socket& from)
{
    return ss::shared_socket::redeem(target, from.duplicate(target.self()));
}

} // namespace

TEST_CASE("each attachment in a process is a member of its own")
{
    test::scratch_segment first;
    const ss::segment second = ss::segment::open(first.name());
    CHECK(first->self() != second.self());
    CHECK(second.alive(first->self()));
    CHECK(first->alive(second.self()));
    CHECK(first->processes().size() == 2);
}

TEST_CASE("a pid that has attached twice names neither attachment, and a ticket for it is good for both")
{
    test::scratch_segment home;
    CHECK(home->find_process(::getpid()) == home->self());
    const ss::segment second = ss::segment::open(home.name());
    CHECK(home->find_processes(::getpid()) == std::vector<ss::process_id>{home->self(), second.self()});
    CHECK_FALSE(home->find_process(::getpid()));
    CHECK_FALSE(second.find_process(::getpid()));

    test::connection pair(home);
    const ss::ticket ticket = pair.socket.duplicate_for_pid(::getpid());
    ss::shared_socket mine  = ss::shared_socket::redeem(GENERATE(true, false) ? second : *home, ticket);
    pair.say("x");
    std::byte room[1];
    CHECK(mine.receive(room) == 1);
    CHECK(pair.socket.handles().size() == 2);
}

TEST_CASE("a registration through one attachment cancels that of another in the same process", "[REG-2]")
{
    test::scratch_segment first;
    const ss::segment second = ss::segment::open(first.name());
    test::connection pair(first);
    ss::shared_socket other = duplicate_into(second, pair.socket);

    ss::event_object mine, theirs;
    pair.socket.event_select(mine, ss::network_event::read, {.tell_loss = true});
    other.event_select(theirs, ss::network_event::read);
    CHECK(mine.wait(5s)); // told
    const auto told = pair.socket.enum_network_events(mine);
    REQUIRE(told.lost);
    CHECK(told.lost->owner == second.self());

    pair.say("x");
    CHECK(theirs.wait(5s));
    CHECK(other.enum_network_events(theirs).has(ss::network_event::read));
    CHECK_FALSE(mine.is_set());
}

TEST_CASE("threads that take over from each other without end all make progress, and each byte is read once", "[fault-70]")
{
    constexpr std::size_t contexts = 3;
    constexpr int bytes            = 3'000;
    test::scratch_segment home;
    test::connection pair(home);
    std::array<ss::segment, contexts> segments;
    std::array<ss::shared_socket, contexts> sockets;
    for (std::size_t i = 0; i < contexts; ++i) {
        segments[i] = ss::segment::open(home.name());
        sockets[i]  = duplicate_into(segments[i], pair.socket);
    }
    std::atomic<int> received{0};
    std::atomic<long> take_overs{0};
    std::vector<std::jthread> threads;
    const test::at_the_end enough([&] { received = bytes; }); // after an exception too
    for (std::size_t i = 0; i < contexts; ++i) {
        threads.emplace_back([&, i] {
            ss::event_object ready;
            while (received.load() < bytes) {
                sockets[i].event_select(ready, ss::network_event::read);
                take_overs.fetch_add(1);
                if (!ready.wait(1ms) || !sockets[i].enum_network_events(ready).has(ss::network_event::read)) continue;
                std::byte room[7];
                ss::error_code ec;
                received.fetch_add(static_cast<int>(sockets[i].receive(room, 0, ec)));
            }
        });
    }
    for (int sent = 0; sent < bytes; ++sent)
        pair.say("x");
    for (std::jthread& thread : threads)
        thread.join();
    CHECK(received.load() == bytes);
    CHECK(take_overs.load() >= static_cast<long>(contexts));
}

TEST_CASE("handles of several attachments stand by, and the registration passes from one to the next", "[REG-14]")
{
    test::scratch_segment home;
    const ss::segment second = ss::segment::open(home.name());
    test::connection pair(home);
    ss::shared_socket other = duplicate_into(second, pair.socket);
    ss::event_object first_ready, second_ready;

    pair.socket.stand_by(first_ready, ss::network_event::read);
    REQUIRE(pair.socket.registration()); // at once: the events had no owner
    CHECK(pair.socket.registration()->owner == home->self());
    other.stand_by(second_ready, ss::network_event::read);
    CHECK(pair.socket.registration()->owner == home->self());

    CHECK(pair.socket.pass_on());
    CHECK(pair.socket.registration()->owner == second.self());
    pair.say("x");
    CHECK(second_ready.wait(5s));
    CHECK(other.enum_network_events(second_ready).has(ss::network_event::read));

    SECTION("back to the first, when the second passes it on")
    {
        CHECK(other.pass_on());
        CHECK(other.registration()->owner == home->self());
        CHECK(first_ready.wait(5s)); // the byte is there still
    }
    SECTION("back to the first, when the second closes")
    {
        other.close();
        CHECK(pair.socket.registration()->owner == home->self());
        CHECK(first_ready.wait(5s));
    }
    SECTION("to none, when no handle stands by")
    {
        pair.socket.stand_by(first_ready, ss::network_event::none);
        CHECK_FALSE(other.pass_on());
        CHECK(other.registration()->owner == second.self());
    }
}

TEST_CASE("a handle that has passed on, and then registers or cancels, does not stand by any more", "[REG-5][REG-3]")
{
    test::scratch_segment home;
    const ss::segment second = ss::segment::open(home.name());
    test::connection pair(home);
    ss::shared_socket other = duplicate_into(second, pair.socket);
    ss::event_object first_ready, second_ready;
    pair.socket.event_select(first_ready, ss::network_event::read);
    other.stand_by(second_ready, ss::network_event::read);
    REQUIRE(pair.socket.pass_on());
    SECTION("registers")
    {
        pair.socket.event_select(first_ready, ss::network_event::read);
        other.cancel_registration();
    }
    SECTION("cancels") { pair.socket.cancel_registration(); }
    CHECK_FALSE(pair.socket.registration());
    for (const ss::handle_info& each : pair.socket.handles())
        CHECK_FALSE(each.standing_by);
}

TEST_CASE("a handle that has lost its registration, and not heard of it yet, can stand by")
{
    test::scratch_segment home;
    const ss::segment second = ss::segment::open(home.name());
    test::connection pair(home);
    ss::shared_socket other = duplicate_into(second, pair.socket);
    ss::event_object first_ready, second_ready;
    pair.socket.event_select(first_ready, ss::network_event::read);
    other.event_select(second_ready, ss::network_event::read);
    pair.socket.stand_by(first_ready, ss::network_event::read); // the lost handle has not answered its doorbell yet
    other.cancel_registration();
    REQUIRE(pair.socket.registration());
    CHECK(pair.socket.registration()->owner == home->self());
    pair.say("x");
    CHECK(first_ready.wait(5s));
}

TEST_CASE("a registration that was passed on and came back has its former mask, kind and handle", "[REG-10]")
{
    test::scratch_segment home;
    const ss::segment second = ss::segment::open(home.name());
    test::connection pair(home);
    ss::shared_socket other = duplicate_into(second, pair.socket);
    ss::event_object first_ready, second_ready;
    const ss::network_event mask = ss::network_event::read | ss::network_event::qos;
    pair.socket.stand_by(first_ready, mask);
    other.stand_by(second_ready, ss::network_event::write);
    REQUIRE(pair.socket.pass_on());
    REQUIRE(other.pass_on());
    const auto again = pair.socket.registration();
    REQUIRE(again);
    CHECK(again->owner == home->self());
    CHECK(again->kind == ss::registration_kind::event_select);
    CHECK(again->mask == mask);
    CHECK(again->handle == pair.socket.handle_id());
    CHECK(again->since_ns != 0);
}

TEST_CASE("a socket is published and opened by name across attachments")
{
    test::scratch_segment home;
    const ss::segment second         = ss::segment::open(home.name());
    const ss::shared_socket listener = ss::shared_socket::listen(*home, ss::socket_address::loopback(0));
    home->publish("http", listener);
    CHECK(second.published() == std::vector<std::string>{"http"});
    const auto serving             = home->serve_in_thread();
    const ss::shared_socket opened = ss::shared_socket::open_published(second, "http");
    CHECK(opened.id() == listener.id());
    CHECK(opened.local_address() == listener.local_address());
    CHECK(listener.handles().size() == 2);

    ss::error_code ec;
    ss::shared_socket::open_published(second, "ftp", ec);
    CHECK(ec == ss::errc::name_not_published);
    test::connection pair(home);
    home->publish("http", pair.socket, ec);
    CHECK(ec == ss::errc::name_taken);
}

TEST_CASE("a name goes with the last handle of its socket")
{
    test::scratch_segment home;
    {
        test::connection pair(home);
        home->publish("gone", pair.socket);
        CHECK(home->published().size() == 1);
    }
    CHECK(home->published().empty());
}
