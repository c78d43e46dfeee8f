// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Hand-overs where the source or the target dies, stands still, forks, or has no room.
#include "process/shared_stream.hpp"
#include "support/carry_pattern.hpp"

#include <sharedsock/hand_over.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::carry_line;
using test::carry_pattern;
using test::id_of;
using test::records_in_use;
using test::shared_stream;

namespace {

std::size_t either_size() { return GENERATE(std::size_t{10}, std::size_t{100'000}); } // in the message, in memory

} // namespace

TEST_CASE("a target that dies with a hand-over unread takes it along: the peer sees the end, and nothing is left", "[G6][G8]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    const std::size_t count = either_size();
    const bool in_its_hands = GENERATE(false, true); // false: in the kernel's queue
    std::vector<test::plain_socket> peers;
    for (std::uint64_t i = 0; i < 5; ++i) {
        shared_stream s(segment);
        ss::hand_over_unacknowledged(std::move(s.socket), id_of(segment, b), {carry_pattern(i, count), i});
        peers.push_back(std::move(s.x));
    }
    if (in_its_hands) REQUIRE(b.ask("poll_segment") == "ok");
    CHECK(peers[0].quiet());
    CHECK(records_in_use(segment) == 5);
    end(b);
    for (test::plain_socket& one : peers)
        CHECK((one.was_reset() || one.ended()));
    CHECK(segment->sweep() == 1);
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("a target that stands still gets its hand-over when it goes on, though the sender has died", "[G7][G8]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x    = listener.accept();
    const std::size_t count = either_size();
    b.process().stop();
    REQUIRE(a.ask("hand_over_unacknowledged h " + b.pid() + " 3 " + std::to_string(count)) == "ok");
    end(a);
    if (GENERATE(false, true)) CHECK(segment->sweep() == 1);
    CHECK(x.quiet());
    b.process().resume();
    CHECK(b.ask("wait_hand_over h") == carry_line(3, count));
    CHECK(talk(b, x));
    CHECK(b.ask("close h") == "ok");
    CHECK(x.ended());
    segment->sweep();
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("a target that has detached loses the hand-overs that waited for it", "[G6][G8]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    {
        const ss::segment other = ss::segment::open(segment.name());
        ss::hand_over_unacknowledged(std::move(s.socket), other.self(), {carry_pattern(1, 10), 1});
        CHECK(s.x.quiet());
    }
    CHECK(s.x.ended());
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("a full mailbox refuses a hand-over and loses none, and takes more when it is emptied", "[G8][fault-43]")
{
    test::scratch_segment segment({.sockets = 2'000, .processes = 8});
    test::peer b(segment.name());
    const ss::process_id target = id_of(segment, b);
    const std::size_t count     = GENERATE(std::size_t{0}, std::size_t{16 * 1024}, std::size_t{20'000});
    b.process().stop();
    std::vector<test::plain_socket> peers;
    ss::error_code ec;
    std::uint64_t sent = 0;
    std::optional<shared_stream> refused;
    while (!refused && sent < 1'500) {
        shared_stream s(segment);
        ss::hand_over_unacknowledged(std::move(s.socket), target, {carry_pattern(sent, count), sent}, ec);
        if (ec)
            refused.emplace(std::move(s));
        else
            ++sent, peers.push_back(std::move(s.x));
    }
    REQUIRE(ec == ss::errc::mailbox_full);
    CHECK(ec == std::errc::no_buffer_space);
    std::printf("a mailbox holds %llu hand-overs of %zu bytes\n", static_cast<unsigned long long>(sent), count);
    const std::size_t before = test::descriptors_of(::getpid());
    for (int again = 0; again < 20; ++again) {
        ss::hand_over_unacknowledged(std::move(refused->socket), target, {carry_pattern(sent, count), sent}, ec);
        CHECK(ec == ss::errc::mailbox_full);
    }
    CHECK(test::descriptors_of(::getpid()) == before);
    CHECK(refused->socket.send("still ours") == 10);
    CHECK(refused->x.receive(10) == "still ours");
    CHECK(records_in_use(segment) == sent + 1);

    b.process().resume();
    CHECK(b.ask("wait_hand_over h") == carry_line(0, count));
    std::uint64_t next = 1;
    for (; ec; ++next) { // until there is room again
        ss::hand_over_unacknowledged(std::move(refused->socket), target, {carry_pattern(sent, count), sent}, ec);
        REQUIRE(b.ask("receive_hand_over h") == carry_line(next, count));
    }
    for (; next <= sent; ++next)
        REQUIRE(b.ask("receive_hand_over h") == carry_line(next, count));
    CHECK(b.ask("receive_hand_over g") == "none");
    CHECK(b.ask("drop h") == "ok");
    CHECK(records_in_use(segment) == 0);
    for (test::plain_socket& one : peers)
        REQUIRE(one.ended());
}

TEST_CASE("with few descriptors left a hand-over arrives or stays where it is", "[G8][DUP-9][fault-40]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    const std::size_t count = either_size();
    shared_stream zero(segment), one(segment), two(segment);
    ss::hand_over_unacknowledged(std::move(zero.socket), id_of(segment, b), {});
    REQUIRE(b.ask("receive_hand_over z") == carry_line(0, 0)); // the way is open
    ss::hand_over_unacknowledged(std::move(one.socket), id_of(segment, b), {carry_pattern(1, count), 1});
    ss::hand_over_unacknowledged(std::move(two.socket), id_of(segment, b), {carry_pattern(2, count), 2});
    bool received = false;
    int refused   = 0;
    for (int room = 0; room < 8 && !received; ++room) {
        REQUIRE(b.ask("limit_descriptors " + std::to_string(room)) == "ok");
        const std::string answer = b.ask("receive_hand_over h");
        INFO("room for " << room << ": " << answer);
        CHECK((answer == carry_line(1, count) || answer == "error: too_many_files_open"));
        received = answer == carry_line(1, count);
        refused += !received;
        REQUIRE(b.ask("limit_descriptors off") == "ok");
    }
    CHECK(received);
    CHECK(refused == (count > 16 * 1024 ? 2 : 1)); // for want of its socket, and of its memory
    CHECK(talk(b, one.x));
    CHECK(b.ask("receive_hand_over g") == carry_line(2, count));
    CHECK(b.ask("close h") == "ok");
    CHECK(b.ask("close g") == "ok");
    CHECK(b.ask("close z") == "ok");
    CHECK(one.x.ended()); // no copy was left anywhere
    CHECK(two.x.ended());
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("a hand-over that waits for a process stays its own when it forks", "[G8][DUP-17]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    const std::size_t count = either_size();
    shared_stream s(segment);
    ss::hand_over_unacknowledged(std::move(s.socket), id_of(segment, b), {carry_pattern(1, count), 1});
    if (GENERATE(false, true)) REQUIRE(b.ask("poll_segment") == "ok");
    CHECK(b.ask("in_fork receive_hand_over h") == "none");
    CHECK(b.ask("receive_hand_over h") == carry_line(1, count));
    CHECK(b.ask("in_fork send h child") == "5"); // the child has a handle of its own now
    CHECK(s.x.receive(5) == "child");
    CHECK(talk(b, s.x));
    CHECK(b.ask("close h") == "ok");
    CHECK(s.x.ended());
    segment->sweep();
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("a forked child hands over an inherited socket, and its parent keeps its own handle", "[G8][DUP-17]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x = listener.accept();
    CHECK(a.ask("in_fork hand_over_unacknowledged h " + b.pid() + " 4 10") == "ok");
    CHECK(b.ask("wait_hand_over h") == carry_line(4, 10));
    CHECK(a.ask("is_open h") == "yes");
    CHECK(b.ask("id h") == a.ask("id h"));
    CHECK(talk(b, x));
    CHECK(a.ask("in_clone hand_over_unacknowledged h " + b.pid() + " 4 10").find("not_attached") != std::string::npos);
}

TEST_CASE("senders that are killed at random moments of their hand-overs leave each connection whole: handed over or ended",
          "[G7][G8]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    int arrived = 0;
    for (int round = 0; round < 60; ++round) {
        test::peer a(segment.name());
        test::plain_listener listener;
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        test::plain_socket x = listener.accept();
        a.process().tell("hand_over_unacknowledged h " + b.pid() + " 9 " + std::to_string(round % 2 == 0 ? 1000 : 100'000));
        for (const auto until = std::chrono::steady_clock::now() + round * 10us; std::chrono::steady_clock::now() < until;) {
        }
        end(a);
        segment->sweep();
        const std::string answer = b.ask("receive_hand_over h");
        if (answer == "none") {
            CHECK((x.was_reset() || x.ended()));
        } else {
            ++arrived;
            CHECK(answer == carry_line(9, round % 2 == 0 ? 1000 : 100'000));
            CHECK(talk(b, x));
            CHECK(b.ask("close h") == "ok");
            CHECK(x.ended());
        }
        REQUIRE(records_in_use(segment) == 0);
    }
    std::printf("%d of 60 were handed over\n", arrived);
}
