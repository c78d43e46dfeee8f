// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Sockets that are handed over with the bytes already read: arrival, end, and failure.
#include "process/shared_stream.hpp"
#include "support/at_the_end.hpp"
#include "support/carry_pattern.hpp"
#include "support/eventually.hpp"

#include <sharedsock/hand_over.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::carry_line;
using test::carry_pattern;
using test::id_of;
using test::records_in_use;
using test::shared_stream;

namespace {

constexpr const char* target_gone = "error: no_such_process, target_gone";
constexpr const char* too_large   = "error: message_size, carry_too_large";
constexpr const char* is_closed   = "error: bad_file_descriptor, closed_handle";

// A socket that A holds alone.
struct held_by_a {
    held_by_a()
    {
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        x = listener.accept();
    }
    test::scratch_segment segment;
    test::peer a{segment.name()}, b{segment.name()};
    test::plain_listener listener;
    test::plain_socket x{-1};

    std::string hand_over(std::uint64_t tag, std::size_t count)
    {
        return a.ask("hand_over_unacknowledged h " + b.pid() + " " + std::to_string(tag) + " " + std::to_string(count));
    }
};

} // namespace

// --- arrival ----------------------------------------------------------------------------------------------------------

TEST_CASE("the carry arrives byte for byte with its tag, and the target alone has the socket", "[G8]")
{
    held_by_a s;
    const std::size_t in_message = 16 * 1024;
    const std::size_t count      = GENERATE_COPY(std::size_t{0}, std::size_t{1}, std::size_t{4096}, in_message, in_message + 1,
                                                 std::size_t{1'000'000}, ss::max_carry);
    REQUIRE(s.hand_over(7, count) == "ok");
    CHECK(s.a.ask("is_open h") == "no");
    CHECK(s.a.ask("send h x") == is_closed);
    CHECK(s.b.ask("wait_hand_over h") == carry_line(7, count));
    CHECK(s.b.ask("receive_hand_over g") == "none");
    CHECK(s.b.ask("handles h") == "1 " + s.b.ask("self"));
    CHECK(talk(s.b, s.x));
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(records_in_use(s.segment) == 0);
}

TEST_CASE("a hand-over carries any tag", "[G8]")
{
    held_by_a s;
    REQUIRE(s.hand_over(0xffff'ffff'ffff'ffff, 3) == "ok");
    CHECK(s.b.ask("wait_hand_over h") == carry_line(0xffff'ffff'ffff'ffff, 3));
}

TEST_CASE("bytes that the source has not read stay in the kernel for the target, after the carry", "[G8][G4]")
{
    held_by_a s;
    s.x.send("first second");
    REQUIRE(s.a.ask("receive h 6") == "\"first \"");
    REQUIRE(s.hand_over(1, 6) == "ok");
    REQUIRE(s.b.ask("wait_hand_over h") == carry_line(1, 6));
    REQUIRE(s.b.ask("event e") == "ok");
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    CHECK(s.b.ask("wait e 10000") == "yes"); // G4
    CHECK(s.b.ask("receive h 100") == "\"second\"");
}

TEST_CASE("a socket is handed over to and fro, and to its own process", "[G8]")
{
    held_by_a s;
    for (std::uint64_t round = 0; round < 50; ++round) {
        REQUIRE(s.a.ask("hand_over_unacknowledged h " + s.b.pid() + " " + std::to_string(round) + " 100") == "ok");
        REQUIRE(s.b.ask("wait_hand_over h") == carry_line(round, 100));
        REQUIRE(s.b.ask("hand_over_unacknowledged h self 5 20000") == "ok");
        REQUIRE(s.b.ask("wait_hand_over h") == carry_line(5, 20'000));
        REQUIRE(s.b.ask("hand_over_unacknowledged h " + s.a.pid() + " 6 0") == "ok");
        REQUIRE(s.a.ask("wait_hand_over h") == carry_line(6, 0));
    }
    CHECK(talk(s.a, s.x));
    CHECK(records_in_use(s.segment) == 1);
    CHECK(s.a.ask("close h") == "ok");
    CHECK(s.x.ended());
}

TEST_CASE("hand-overs arrive in the order in which they were sent, and their descriptors are closed with them", "[G8]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    const std::size_t before = test::descriptors_of(b.process().pid());
    std::vector<test::plain_socket> peers;
    for (std::uint64_t i = 0; i < 20; ++i) {
        shared_stream s(segment);
        ss::hand_over_unacknowledged(std::move(s.socket), id_of(segment, b), {carry_pattern(i, 1000 * i), i});
        peers.push_back(std::move(s.x));
    }
    for (std::uint64_t i = 0; i < 20; ++i) {
        const std::string name = "h" + std::to_string(i);
        REQUIRE(b.ask("receive_hand_over " + name) == carry_line(i, 1000 * i));
        REQUIRE(b.ask("send " + name + " " + name) == std::to_string(name.size()));
        CHECK(peers[i].receive(name.size()) == name);
        REQUIRE(b.ask("drop " + name) == "ok");
        CHECK(peers[i].ended());
    }
    CHECK(test::descriptors_of(b.process().pid()) == before + 1); // the connection to its mailbox
    CHECK(records_in_use(segment) == 0);
}

TEST_CASE("a thread that waits for hand-overs is woken though another thread reads the mailbox", "[G8]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    const auto serving = segment->serve_in_thread();
    const int handle   = ss::hand_over_handle(segment);
    for (std::uint64_t i = 0; i < 200; ++i) {
        shared_stream s(segment);
        ss::hand_over_unacknowledged(std::move(s.socket), id_of(segment, a), {carry_pattern(i, 10), i});
        REQUIRE(a.ask("wait_hand_over h") == carry_line(i, 10));
        a.process().tell("hand_over_unacknowledged h " + std::to_string(::getpid()) + " " + std::to_string(i) + " 20");
        std::optional<ss::handed_over> received;
        while (!received) {
            pollfd asked{handle, POLLIN, 0};
            REQUIRE(::poll(&asked, 1, static_cast<int>(test::patience.count())) == 1);
            received = ss::receive_hand_over(segment);
        }
        REQUIRE(a.process().line() == "ok");
        CHECK(received->tag == i);
        CHECK(received->bytes == carry_pattern(i, 20));
        CHECK(received->from == id_of(segment, a));
        CHECK_FALSE(ss::receive_hand_over(segment));
    }
    pollfd asked{handle, POLLIN, 0};
    CHECK(test::eventually([&] { return ::poll(&asked, 1, 0) == 0; })); // the thread that was woken sleeps again
}

TEST_CASE("of threads that wait for the same hand-overs each gets its own", "[G8][DUP-15]")
{
    constexpr std::uint64_t count = 100;
    test::scratch_segment segment({.sockets = count + 1, .processes = 4});
    std::mutex mutex;
    std::multiset<std::uint64_t> tags;
    std::atomic<std::uint64_t> received{0};
    std::vector<std::jthread> threads;
    const test::at_the_end enough([&] { received = count; }); // by an exception too
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            while (received.load() < count) {
                const auto one = ss::receive_hand_over(segment);
                if (!one) {
                    std::this_thread::yield();
                    continue;
                }
                const std::scoped_lock lock(mutex);
                tags.insert(one->bytes == carry_pattern(one->tag, 100) ? one->tag : ~std::uint64_t{0});
                ++received;
            }
        });
    for (std::uint64_t i = 0; i < count; ++i) {
        shared_stream s(segment);
        ss::error_code ec = ss::errc::mailbox_full;
        while (ec == ss::errc::mailbox_full)
            ss::hand_over_unacknowledged(std::move(s.socket), segment->self(), {carry_pattern(i, 100), i}, ec);
        CHECK_FALSE(ec);
    }
    for (std::jthread& one : threads)
        one.join();
    std::multiset<std::uint64_t> wanted;
    for (std::uint64_t i = 0; i < count; ++i)
        wanted.insert(i);
    CHECK(tags == wanted);
    CHECK(records_in_use(segment) == 0);
}

// --- end --------------------------------------------------------------------------------------------------------------

TEST_CASE("a hand-over ends the source's registration, and a handle that stands by becomes the owner", "[G8][REG-14]")
{
    held_by_a s;
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");

    SECTION("no handle stands by")
    {
        REQUIRE(s.hand_over(1, 1) == "ok");
        REQUIRE(s.b.ask("wait_hand_over h") == carry_line(1, 1));
        CHECK(s.b.ask("query h") == "nobody");
    }
    SECTION("a third process stands by")
    {
        test::peer c(s.segment.name());
        REQUIRE(share(s.a, "h", c) == "ok");
        REQUIRE(c.ask("event e") == "ok");
        REQUIRE(c.ask("stand_by h e read") == "ok");
        REQUIRE(s.hand_over(1, 1) == "ok");
        REQUIRE(s.b.ask("wait_hand_over h") == carry_line(1, 1));
        CHECK(s.b.ask("query h").find("owner=" + c.ask("self")) != std::string::npos);
        s.x.send("x");
        CHECK(c.ask("wait e 10000") == "yes");
    }
    s.x.send("x");
    CHECK(s.a.ask("sig e") == "no");
}

TEST_CASE("a hand-over takes the source's handle out of the standby queue", "[G8]")
{
    held_by_a s;
    test::peer c(s.segment.name());
    REQUIRE(share(s.a, "h", c) == "ok");
    for (test::peer* const one : {&s.a, &c})
        REQUIRE(one->ask("event e") == "ok");
    REQUIRE(c.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("stand_by h e read") == "ok");
    REQUIRE(s.hand_over(1, 1) == "ok");
    REQUIRE(s.b.ask("wait_hand_over h") == carry_line(1, 1));
    REQUIRE(c.ask("cancel h") == "ok");
    CHECK(s.b.ask("query h") == "nobody");
}

TEST_CASE("a hand-over leaves the other handles to the socket open", "[G8]")
{
    held_by_a s;
    REQUIRE(s.a.ask("redeem g " + s.a.ask("duplicate h self")) == "ok");
    REQUIRE(s.hand_over(1, 1) == "ok");
    REQUIRE(s.b.ask("wait_hand_over h") == carry_line(1, 1));
    CHECK(s.a.ask("id g") == s.b.ask("id h"));
    CHECK(s.b.ask("handles h").substr(0, 2) == "2 ");
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.quiet());
}

// --- failure --------------------------------------------------------------------------------------------------------------

TEST_CASE("a hand-over that fails changes neither the socket nor its registration nor the bytes", "[G8][REG-19]")
{
    held_by_a s;
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string registration = s.a.ask("query h");

    SECTION("too much to carry") { CHECK(s.hand_over(1, ss::max_carry + 1) == too_large); }
    SECTION("a dead target that was not swept")
    {
        end(s.b);
        CHECK(s.hand_over(1, GENERATE(10u, 100'000u)) == target_gone);
    }
    SECTION("a dead target to which there is a way")
    {
        REQUIRE(share(s.a, "h", s.b) == "ok");
        end(s.b);
        CHECK(s.hand_over(1, GENERATE(10u, 100'000u)) == target_gone);
        s.segment->sweep();
    }
    SECTION("a dead target that was swept")
    {
        end(s.b);
        s.segment->sweep();
        CHECK(s.hand_over(1, 10) == target_gone);
    }
    SECTION("no process") { CHECK(s.a.ask("hand_over_unacknowledged h 1 1 10") == target_gone); }
    SECTION("no descriptors")
    {
        REQUIRE(s.a.ask("limit_descriptors 0") == "ok");
        CHECK(s.hand_over(1, GENERATE(10u, 100'000u)) == "error: too_many_files_open");
        REQUIRE(s.a.ask("limit_descriptors off") == "ok");
    }
    CHECK(s.a.ask("is_open h") == "yes");
    CHECK(s.a.ask("query h") == registration);
    CHECK(s.a.ask("handles h").substr(0, 2) == "1 ");
    CHECK(records_in_use(s.segment) == 1);
    s.x.send("x");
    CHECK(s.a.ask("wait e 10000") == "yes");
    CHECK(s.a.ask("receive h 1") == "\"x\"");
    test::peer c(s.segment.name());
    CHECK(s.a.ask("hand_over_unacknowledged h " + c.pid() + " 2 10") == "ok");
    CHECK(c.ask("wait_hand_over h") == carry_line(2, 10));
    CHECK(talk(c, s.x));
}

TEST_CASE("a handle that is closed, or of another process, is not handed over", "[G8]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment);
    ss::error_code ec;
    ss::hand_over_unacknowledged(ss::shared_socket(), id_of(segment, b), {}, ec);
    CHECK(ec == ss::errc::closed_handle);
    s.socket.close();
    ss::hand_over_unacknowledged(std::move(s.socket), id_of(segment, b), {}, ec);
    CHECK(ec == ss::errc::closed_handle);
    CHECK_THROWS_AS(ss::hand_over_unacknowledged(std::move(s.socket), id_of(segment, b)), ss::system_error);
    CHECK_FALSE(ss::receive_hand_over(ss::segment(), ec));
    CHECK(ec == ss::errc::not_attached);
    CHECK(b.ask("receive_hand_over h") == "none");
}
