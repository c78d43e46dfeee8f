// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The guarantees of the README that only many moments can show: processes that read one stream at the same time, without agreement.
#include "conformance/hand_to.hpp"
#include "conformance/shared_connection.hpp"
#include "support/at_the_end.hpp"
#include "support/eventually.hpp"
#include "support/shared_file.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// The notes of the processes, in memory that they share. Only the process that runs a handler writes: one at a time, or the test
// fails.
struct stream_log {
    std::atomic<std::uint32_t> inside;   // handlers that run now
    std::atomic<std::uint32_t> overlaps; // that found another one running
    std::atomic<std::uint32_t> stale;    // that ran under an earlier registration than the one before
    std::atomic<std::uint32_t> wrong;    // bytes that were not the next of the stream
    std::atomic<std::uint32_t> epoch;
    std::atomic<std::uint64_t> received;
    std::atomic<std::uint32_t> turns; // how often the reader was another than the one before
    std::atomic<std::uint32_t> reader;
};

// The byte of the stream at a place: no piece of it is like another.
char byte_at(std::uint64_t offset) { return static_cast<char>((offset * 2'654'435'761u) >> 17); }

} // namespace

SHAREDSOCK_CHILD_ROLE("takes the stream over and reads it in its handler")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    const test::shared_file<stream_log> shared(role.args.at(1));
    stream_log& log      = *shared;
    const int take_overs = std::stoi(role.args.at(2));
    const test::plain_socket bell(::open(role.args.at(3).c_str(), O_WRONLY | O_CLOEXEC));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));

    boost::asio::io_context context;
    const auto guard = boost::asio::make_work_guard(context);
    std::jthread running([&] { context.run(); });
    const test::at_the_end stopped([&] { context.stop(); }); // also by an exception, before it is joined
    std::minstd_rand random(static_cast<unsigned>(::getpid()));
    std::minstd_rand pace(static_cast<unsigned>(::getpid()));
    std::mutex mutex;
    std::condition_variable changed;
    bool called        = false; // guarded by the mutex
    const auto handler = [&](const ss::event_message& message) {
        if (log.inside.fetch_add(1) != 0) log.overlaps.fetch_add(1);
        if (log.epoch.exchange(message.epoch) > message.epoch) log.stale.fetch_add(1);
        if (log.reader.exchange(segment.self().index) != segment.self().index) log.turns.fetch_add(1);
        char room[1400];
        ss::error_code ec;
        const std::size_t got = socket.receive(std::as_writable_bytes(std::span(room)).first(1 + random() % sizeof(room)), 0, ec);
        const std::uint64_t offset = log.received.load();
        for (std::size_t i = 0; i < got; ++i)
            if (room[i] != byte_at(offset + i)) log.wrong.fetch_add(1);
        log.received.store(offset + got);
        log.inside.fetch_sub(1);
        const std::scoped_lock lock(mutex);
        called = true;
        changed.notify_all();
    };
    ss::select_options patient;
    patient.fence_limit = test::patience;
    role.say("has it");
    role.hear();
    for (int i = 0; i < take_overs; ++i) {
        std::unique_lock lock(mutex);
        called = false;
        lock.unlock();
        ss::async_select(socket, context.get_executor(), handler, ss::network_event::read, patient);
        if (::write(bell.descriptor(), "!", 1) != 1) return 1;
        lock.lock();
        changed.wait_for(lock, std::chrono::microseconds(pace() % 3'000),
                         [&] { return called; }); // or until the random pause is over
    }
    role.say("done");
    while (const auto more = role.hear())
        ss::async_select(socket, context.get_executor(), handler, ss::network_event::read, patient);
    socket.close();
    context.stop();
    running.join();
    return 0;
}

TEST_CASE("three processes take a stream from each other at full speed, and read every byte once and in order", "[G1][G2][G4]")
{
    constexpr std::uint64_t total = 2'000'000;
    constexpr int take_overs      = 2'000;
    test::scratch_segment segment;
    test::scratch_directory scratch;
    const std::string path = scratch.path() / "log";
    const test::shared_file<stream_log> shared(path);
    stream_log& log = *shared;
    test::connection s(segment, AF_INET);
    const std::string bell_path = scratch.path() / "bell"; // each take-over rings it
    REQUIRE(::mkfifo(bell_path.c_str(), 0600) == 0);
    const test::plain_socket bell(::open(bell_path.c_str(), O_RDWR | O_CLOEXEC));
    std::vector<test::child_process> all;
    for (int i = 0; i < 3; ++i)
        all.emplace_back("takes the stream over and reads it in its handler",
                         std::vector<std::string>{segment.name(), path, std::to_string(take_overs / 3 + 1), bell_path});
    for (test::child_process& one : all)
        test::hand_to(one, segment, s.socket, "has it");

    std::jthread sender([&](const std::stop_token& enough) {
        const auto is_ready = [&](int descriptor, short what) {
            pollfd one{descriptor, what, 0};
            while (!enough.stop_requested())
                if (::poll(&one, 1, 10) > 0) return true;
            return false;
        };
        std::string bytes(total / take_overs, 0);
        for (std::uint64_t sent = 0; sent < total; sent += bytes.size()) { // a piece for each take-over, about when it is made
            char told = 0;
            if (!is_ready(bell.descriptor(), POLLIN) || ::read(bell.descriptor(), &told, 1) != 1) return;
            for (std::size_t i = 0; i < bytes.size(); ++i)
                bytes[i] = byte_at(sent + i);
            for (std::size_t done = 0; done < bytes.size();) {
                if (!is_ready(s.peer, POLLOUT)) return;
                const auto taken = ::send(s.peer, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (taken < 0 && errno == EAGAIN) continue;
                if (taken <= 0) return;
                done += static_cast<std::size_t>(taken);
            }
        }
    });
    for (test::child_process& one : all)
        one.tell("go");
    for (test::child_process& one : all)
        one.wait_for("done");
    for (test::child_process& one : all)
        one.tell("once more"); // the last owner reads the rest
    CHECK(test::eventually([&] { return log.received.load() == total; }));
    for (test::child_process& one : all)
        one.close_input();
    for (test::child_process& one : all)
        CHECK(one.wait() == 0);
    sender.request_stop(); // should it be stuck
    sender.join();
    s.socket.close();
    s.close_peer();

    CHECK(log.overlaps.load() == 0);
    CHECK(log.stale.load() == 0);
    CHECK(log.wrong.load() == 0);
    CHECK(log.turns.load() >= 10); // the processes did take turns
}
