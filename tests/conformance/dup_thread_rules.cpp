// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP-15: threads of one process that share a handle.
#include "support/catch.hpp"
#include "support/deadline.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>

TEST_CASE("the threads of a process share a handle", "[DUP-15]")
{
    constexpr std::uint32_t count = 100'000;
    test::scratch_segment segment;
    test::connection c(segment, GENERATE(AF_INET, AF_UNIX));
    std::thread x([&] {
        std::array<char, 65'536> room;
        for (ssize_t got = 0; (got = ::recv(c.peer, room.data(), room.size(), 0)) > 0;)
            for (ssize_t sent = 0; sent < got;)
                sent +=
                    std::max<ssize_t>(0, ::send(c.peer, room.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL));
    });
    std::thread sender([&] {
        for (std::uint32_t number = 0; number < count; ++number)
            c.socket.send(std::as_bytes(std::span(&number, 1)));
    });
    std::uint32_t correct = 0;
    for (std::uint32_t number = 0; number < count; ++number) {
        std::uint32_t got = 0;
        correct += c.socket.receive(std::as_writable_bytes(std::span(&got, 1)), MSG_WAITALL) == sizeof got && got == number;
    }
    sender.join();
    CHECK(correct == count);
    CHECK(c.socket.handles().size() == 1);
    c.socket.shutdown(SHUT_WR);
    x.join();
}

namespace {

// Runs `work(i)` in so many threads, which begin together.
template <class Work>
std::vector<std::thread> at_once(int count, std::barrier<>& start, Work work)
{
    std::vector<std::thread> all;
    for (int i = 0; i < count; ++i)
        all.emplace_back([i, work, &start] {
            start.arrive_and_wait();
            work(i);
        });
    return all;
}

void join(std::vector<std::thread>& all)
{
    for (std::thread& one : all)
        one.join();
}

} // namespace

TEST_CASE("several threads that send and several that receive share a handle, and each record arrives once", "[DUP-15]")
{
    constexpr std::uint32_t senders = 4, receivers = 4, each = 20'000 / test::slowness;
    test::scratch_segment segment;
    test::connection c(segment, AF_UNIX, SOCK_SEQPACKET);
    std::barrier start(senders + receivers);
    std::thread x([&] { // sends back all that it receives
        std::uint32_t number = 0;
        while (::recv(c.peer, &number, sizeof number, 0) == sizeof number)
            ::send(c.peer, &number, sizeof number, MSG_NOSIGNAL);
        ::shutdown(c.peer, SHUT_WR);
    });
    std::vector<std::atomic<std::uint8_t>> times(senders * each);
    std::array<std::atomic<std::uint32_t>, receivers> received{};
    auto sending   = at_once(senders, start, [&](int i) {
        for (std::uint32_t n = 0; n < each; ++n) {
            const std::uint32_t number = static_cast<std::uint32_t>(i) * each + n;
            c.socket.send(std::as_bytes(std::span(&number, 1)));
        }
    });
    auto receiving = at_once(receivers, start, [&](int i) {
        std::uint32_t number = 0;
        while (c.socket.receive(std::as_writable_bytes(std::span(&number, 1))) == sizeof number) {
            if (number < times.size()) times[number].fetch_add(1);
            received.at(static_cast<std::size_t>(i)).fetch_add(1);
        }
    });
    join(sending);
    c.socket.shutdown(SHUT_WR); // X ends when it has sent everything back, and with it the receivers
    join(receiving);
    x.join();
    CHECK(std::all_of(times.begin(), times.end(), [](const auto& n) { return n == 1; }));
    CHECK(received[0] + received[1] + received[2] + received[3] == senders * each);
    CHECK(c.socket.handles().size() == 1);
}

TEST_CASE("several threads that send and several that receive share a handle of a stream, and no byte is lost or doubled",
          "[DUP-15]")
{
    constexpr int threads      = 4;
    constexpr std::size_t each = 2'000'000 / test::slowness;
    test::scratch_segment segment;
    test::connection c(segment, GENERATE(AF_INET, AF_UNIX));
    std::barrier start(2 * threads);
    std::thread x([&] { // sends back all that it receives
        std::array<char, 65'536> room;
        for (ssize_t got = 0; (got = ::recv(c.peer, room.data(), room.size(), 0)) > 0;)
            for (ssize_t sent = 0; sent < got;)
                sent +=
                    std::max<ssize_t>(0, ::send(c.peer, room.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL));
        ::shutdown(c.peer, SHUT_WR);
    });
    auto sending = at_once(threads, start, [&](int i) { // each thread sends its own message of the alphabet
        const std::string text(each, static_cast<char>('a' + i));
        c.socket.send(std::as_bytes(std::span(text)));
    });
    std::array<std::atomic<std::size_t>, 256> count{};
    auto receiving = at_once(threads, start, [&](int) {
        std::array<std::byte, 1'000> room;
        for (std::size_t got = 0; (got = c.socket.receive(room)) > 0;)
            for (std::size_t i = 0; i < got; ++i)
                count.at(std::to_integer<std::size_t>(room.at(i))).fetch_add(1, std::memory_order_relaxed);
    });
    join(sending);
    c.socket.shutdown(SHUT_WR);
    join(receiving);
    x.join();
    for (int i = 0; i < threads; ++i)
        CHECK(count.at(static_cast<std::size_t>('a' + i)) == each);
}
