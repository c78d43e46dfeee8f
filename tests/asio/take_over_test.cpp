// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Three processes read one stream, and take it from each other all the time: every byte is read once, in order (G2, G4). They
// are stopped and killed meanwhile. Each process reports the pieces that it has read; the pieces of all, each process's in
// its own order, are then laid back into the stream.
#include "asio/byte_stream.hpp"
#include "support/at_the_end.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <sstream>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;

constexpr std::size_t room_size = 65'536;

// Reads, and reports. When the stream is taken away it takes it back after a moment.
asio::awaitable<void> read_and_report(ss::stream& stream, test::role_context& role, unsigned seed)
{
    std::minstd_rand random(seed);
    asio::steady_timer pause(stream.get_executor());
    std::vector<std::uint8_t> room(room_size);
    for (unsigned losses = 0;;) {
        const auto [ec, size] = co_await stream.async_read_some(asio::buffer(room), asio::as_tuple(asio::use_awaitable));
        if (!ec) {
            const test::piece_mark piece = test::mark_of({room.data(), size});
            role.say("piece " + std::to_string(piece.size) + ' ' + std::to_string(piece.head) + ' ' + std::to_string(piece.hash));
        } else if (ec == ss::errc::registration_cancelled) {
            ++losses;
            pause.expires_after(std::chrono::microseconds(random() % 1500));
            co_await pause.async_wait(asio::use_awaitable);
        } else {
            role.say((ec == asio::error::eof ? "end " : "error " + ec.message() + ' ') + std::to_string(losses));
            co_return;
        }
    }
}

} // namespace

SHAREDSOCK_CHILD_ROLE(stream_reader)
{
    const auto segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    const auto ticket = role.hear();
    asio::io_context io(1);
    ss::stream stream(io, ss::shared_socket::redeem(segment, ss::ticket::from_text(ticket.value())));
    role.say("redeemed");
    asio::co_spawn(io, read_and_report(stream, role, static_cast<unsigned>(::getpid())), asio::detached);
    io.run();
    return 0;
}

namespace {

// A reader, and the pieces that it has reported so far.
class reader {
public:
    reader(const std::string& segment, const ss::shared_socket& socket) : process_("stream_reader", {segment})
    {
        process_.wait_for("ready");
        process_.tell(socket.duplicate_for_pid(process_.pid()).to_text());
        process_.wait_for("redeemed");
        listener_ = std::jthread([this] { listen(); });
    }

    pid_t pid() const noexcept { return process_.pid(); }
    bool ended() const noexcept { return ended_.load(); }

    /// After the end of the process or of the stream.
    void join() { listener_.join(); }

    std::deque<test::piece_mark> pieces; // after `join`
    unsigned losses = 0;
    std::string error;

private:
    void listen()
    {
        try {
            for (;;) {
                std::istringstream line(process_.line());
                std::string word;
                line >> word;
                if (word == "piece") {
                    test::piece_mark piece;
                    line >> piece.size >> piece.head >> piece.hash;
                    pieces.push_back(piece);
                    continue;
                }
                if (word != "end") error = line.str();
                line >> losses;
                break;
            }
        } catch (const test::child_error&) { // killed
        }
        ended_.store(true);
    }

    test::child_process process_;
    std::atomic<bool> ended_{false};
    std::jthread listener_;
};

// Lays the pieces into the stream. A process that was killed may have taken one piece with it. Returns how many bytes are missing.
std::uint64_t lay_out(std::vector<std::unique_ptr<reader>>& readers, std::uint64_t total, std::size_t gaps_allowed)
{
    std::uint64_t position = 0, missing = 0;
    const auto next_at = [&](std::uint64_t where) -> reader* {
        reader* best = nullptr; // the longest: a few bytes may fit in more than one place
        for (const auto& one : readers)
            if (!one->pieces.empty() && (best == nullptr || one->pieces.front().size > best->pieces.front().size) &&
                test::stands_at(one->pieces.front(), where))
                best = one.get();
        return best;
    };
    while (position < total) {
        reader* next      = next_at(position);
        std::uint64_t gap = 0;
        while (next == nullptr && gaps_allowed != 0 && gap < room_size && position + gap < total)
            next = next_at(position + ++gap);
        if (next == nullptr && position + gap < total) {
            FAIL("no process has read the bytes at " << position);
            break;
        }
        if (gap != 0) --gaps_allowed;
        missing += gap;
        position += gap;
        if (next == nullptr) break;
        position += next->pieces.front().size;
        next->pieces.pop_front();
    }
    CHECK(position == total);
    for (const auto& one : readers)
        CHECK(one->pieces.empty()); // nothing was read twice
    return missing;
}

struct plan {
    std::uint64_t total;
    bool kill;
    bool stop;
};

void run(const plan& wanted)
{
    test::scratch_segment segment;
    test::connection pair(segment, AF_INET);
    std::vector<std::unique_ptr<reader>> readers;
    for (int i = 0; i < 3; ++i)
        readers.push_back(std::make_unique<reader>(segment.name(), pair.socket));

    // The count of sent bytes paces the stops and kills, and these pace the sender: so all of them happen on any machine.
    const std::uint64_t step = wanted.total / 40;
    std::atomic<std::uint64_t> sent{0}, allowed{2 * step};
    std::atomic<int> send_error{0};
    std::jthread sender([&] {
        std::vector<std::uint8_t> block(room_size);
        while (sent < wanted.total) {
            for (std::uint64_t limit = allowed; sent >= limit; limit = allowed)
                allowed.wait(limit);
            const std::uint64_t base = sent.load();
            const std::size_t size   = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), wanted.total - base));
            for (std::size_t i = 0; i < size; ++i)
                block[i] = test::stream_byte(base + i);
            for (std::size_t done = 0; done < size;) {
                const ssize_t one = ::send(pair.peer, block.data() + done, size - done, MSG_NOSIGNAL);
                if (one < 0) {
                    send_error = errno;
                    return;
                }
                done += static_cast<std::size_t>(one);
            }
            sent += size;
        }
        ::shutdown(pair.peer, SHUT_WR);
    });
    const auto allow = [&](std::uint64_t up_to) {
        allowed = up_to;
        allowed.notify_one();
    };
    const auto wait_until_sent = [&](std::uint64_t position) {
        for (std::uint64_t so_far = sent; so_far < position; so_far = sent) {
            const bool moved = test::eventually([&] { return sent != so_far || send_error != 0; });
            if (send_error != 0) FAIL("the sender ended at " << sent << ": " << std::generic_category().message(send_error));
            if (!moved) FAIL("no process reads the bytes at " << sent);
        }
    };
    const test::at_the_end nobody_waits([&] { // by an exception: neither the sender nor the threads that listen to the readers
        ::shutdown(pair.peer, SHUT_RDWR);
        allow(wanted.total);
    });

    std::minstd_rand random(7);
    std::size_t kills = 0, stops = 0;
    for (std::uint64_t next = step; next < wanted.total - step; next += step) {
        allow(next + step);
        wait_until_sent(next);
        std::vector<reader*> living;
        for (const auto& one : readers)
            if (!one->ended()) living.push_back(one.get());
        REQUIRE_FALSE(living.empty());
        reader& chosen = *living[random() % living.size()];
        if (wanted.stop && random() % 2 == 0) {
            ::kill(chosen.pid(), SIGSTOP);
            ++stops;
            std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20)); // others go on, or wait for its delivery to end
            ::kill(chosen.pid(), SIGCONT);
        } else if (wanted.kill && kills < 8) {
            ::kill(chosen.pid(), SIGKILL);
            ++kills;
            readers.push_back(std::make_unique<reader>(segment.name(), pair.socket));
        }
    }
    allow(wanted.total);
    wait_until_sent(wanted.total);
    sender.join();
    unsigned losses = 0;
    for (const auto& one : readers) {
        one->join();
        CHECK(one->error.empty());
        losses += one->losses;
    }
    CHECK(sent == wanted.total);
    const std::uint64_t missing = lay_out(readers, wanted.total, kills);
    if (!wanted.kill) CHECK(missing == 0);
    CHECK(losses > 20);
    WARN(wanted.total / 1'000'000 << " MB, " << losses << " losses told, " << stops << " stops, " << kills << " kills, " << missing
                                  << " bytes went down with those who were killed");
}

bool long_run() { return std::getenv("SHAREDSOCK_TEST_LONG") != nullptr; }

} // namespace

TEST_CASE("three processes take a stream from each other: every byte is read once and in order", "[asio][G2][G4]")
{
    run({.total = long_run() ? 4'000'000'000u : 200'000'000u, .kill = false, .stop = false});
}

TEST_CASE("three processes take a stream from each other, and are stopped: every byte is read once and in order", "[asio][G2][G4]")
{
    run({.total = long_run() ? 4'000'000'000u : 200'000'000u, .kill = false, .stop = true});
}

TEST_CASE("three processes take a stream from each other, and are stopped and killed: missing bytes were in the hands of the dead",
          "[asio][G2][G4][G7]")
{
    run({.total = long_run() ? 4'000'000'000u : 200'000'000u, .kill = true, .stop = true});
}
