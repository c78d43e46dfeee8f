// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// kill -9 of a random worker again and again, under load: for a few seconds, and with SHAREDSOCK_TEST_LONG=1 every second for
// a minute. Every request that fails has to be one of a connection of a worker that was killed.
#include "process/prefork/prefork_crew.hpp"
#include "support/at_the_end.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

// CLOCK_MONOTONIC: the same for all processes.
std::int64_t now_ns() { return steady_clock::now().time_since_epoch().count(); }

/// A worker: accepts in its turn, greets with "pid time" (of the accept), and then says its pid for each byte.
class echo_server {
public:
    echo_server(prefork::worker& self, ss::shared_socket& listener) : self_(self), listener_(listener) {}

    void run()
    {
        watch(self_.native_handle());
        watch(turn_.native_handle());
        listener_.stand_by(turn_, ss::network_event::accept);
        self_.ready();
        while (!self_.draining()) {
            std::array<epoll_event, 64> ready;
            const int count = ::epoll_wait(epoll_, ready.data(), ready.size(), -1);
            for (int i = 0; i < count; ++i) {
                const int descriptor = ready[static_cast<std::size_t>(i)].data.fd;
                if (descriptor == turn_.native_handle())
                    take_turn();
                else if (const auto found = clients_.find(descriptor); found != clients_.end() && !answer(found->second))
                    clients_.erase(found);
            }
        }
        clients_.clear();
        listener_.close();
    }

private:
    struct client {
        ss::shared_socket socket;
        ss::event_object ready{};
    };

    void watch(int descriptor) const
    {
        epoll_event event{};
        event.events  = EPOLLIN;
        event.data.fd = descriptor;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
    }

    void take_turn()
    {
        if (!turn_.is_set()) return;
        listener_.enum_network_events(turn_);
        ss::error_code ec;
        client one{listener_.accept(ec)};
        const std::int64_t accepted = now_ns();
        listener_.pass_on(ec);
        if (!one.socket.is_open()) return;
        one.socket.event_select(one.ready, ss::network_event::read | ss::network_event::close);
        one.socket.send(std::to_string(::getpid()) + ' ' + std::to_string(accepted) + '\n');
        const int descriptor = one.ready.native_handle();
        watch(descriptor);
        clients_.emplace(descriptor, std::move(one));
    }

    bool answer(client& one)
    {
        one.socket.enum_network_events(one.ready);
        std::array<std::byte, 64> room;
        ss::error_code ec;
        for (;;) {
            const std::size_t count = one.socket.receive(room, 0, ec);
            if (ec || count == 0) return ec == std::errc::operation_would_block;
            one.socket.send(std::as_bytes(std::span(name_)), 0, ec);
            if (ec) return false;
        }
    }

    prefork::worker& self_;
    ss::shared_socket& listener_;
    const std::string name_ = std::to_string(::getpid()) + '\n';
    const int epoll_        = ::epoll_create1(EPOLL_CLOEXEC);
    ss::event_object turn_;
    std::unordered_map<int, client> clients_; // by the descriptor of their event object
};

/// All that the clients have seen.
struct record {
    struct failure {
        std::int64_t begun, ended; // of the connection
        pid_t server;              // 0: the server had not said its pid
        bool refused;
    };

    std::atomic<long> requests{0};
    std::atomic<bool> stop{false};
    std::mutex mutex; // guards the members below
    std::vector<failure> failures;
    std::vector<std::pair<std::int64_t, pid_t>> accepts;
};

/// A client that waits: connects, asks `most` times, connects anew.
class client {
public:
    client(std::uint16_t port, int most, record& seen) : port_(port), most_(most), seen_(seen) {}

    void run()
    {
        while (!seen_.stop.load())
            one_connection();
    }

private:
    void one_connection()
    {
        const auto address       = ss::socket_address::loopback(port_);
        const int socket         = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const std::int64_t begun = now_ns();
        pid_t server             = 0;
        const auto note_failure  = [&](bool refused) {
            const std::scoped_lock lock(seen_.mutex);
            seen_.failures.push_back({begun, now_ns(), server, refused});
        };
        const timeval limit{20 * test::slowness, 0};
        ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        text_.clear();
        std::int64_t accepted = 0;
        if (::connect(socket, address.data(), address.size()) != 0) {
            note_failure(true);
        } else if (const auto greeting = line(socket);
                   !greeting || std::sscanf(greeting->c_str(), "%d %ld", &server, &accepted) != 2) {
            note_failure(false);
        } else {
            {
                const std::scoped_lock lock(seen_.mutex);
                seen_.accepts.emplace_back(accepted, server);
            }
            const std::string expected = std::to_string(server);
            for (int asked = 0; asked < most_ && !seen_.stop.load(); ++asked) {
                if (::send(socket, "?", 1, MSG_NOSIGNAL) != 1 || line(socket) != expected) {
                    note_failure(false);
                    break;
                }
                ++seen_.requests;
            }
        }
        ::close(socket);
    }

    std::optional<std::string> line(int socket)
    {
        for (;;) {
            if (const auto end = text_.find('\n'); end != std::string::npos) {
                std::string one = text_.substr(0, end);
                text_.erase(0, end + 1);
                return one;
            }
            std::array<char, 128> room;
            const ssize_t size = ::recv(socket, room.data(), room.size(), 0);
            if (size <= 0) return std::nullopt;
            text_.append(room.data(), static_cast<std::size_t>(size));
        }
    }

    const std::uint16_t port_;
    const int most_;
    record& seen_;
    std::string text_;
};

struct death {
    pid_t who;
    bool had_turn;
    std::int64_t killed, visible;
};

std::string in_ms(std::vector<std::int64_t> times, double part)
{
    if (times.empty()) return "-";
    std::sort(times.begin(), times.end());
    const auto at = static_cast<std::size_t>(part * static_cast<double>(times.size() - 1));
    return std::to_string(static_cast<double>(times[at]) / 1e6).substr(0, 6);
}

} // namespace

/// args: segment, number of workers. Says its port and each worker that is ready, until it gets SIGTERM; then whether its
/// descriptors are as many as at first.
SHAREDSOCK_CHILD_ROLE("serves although its workers are killed")
{
    auto segment  = ss::segment::create(role.args.at(0), {.sockets = 1'024, .processes = 64});
    auto listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    segment.publish("listener", listener);
    prefork::options how;
    how.workers   = std::stoull(role.args.at(1));
    how.respawn   = {1ms, 20ms, 1s};
    how.limit     = {.deaths = 0};
    how.on_change = [&role](const prefork::worker_status& one) {
        if (one.state == prefork::worker_state::ready) role.say(std::to_string(one.place) + ' ' + std::to_string(one.pid));
    };
    prefork::supervisor all(how, [&](prefork::worker& self) {
        echo_server(self, listener).run();
        segment = {};
        return 0;
    });
    all.take_signals();
    role.say(std::to_string(listener.local_address().port()));
    all.start();
    all.wait_ready();
    role.say("ready");
    const std::size_t descriptors = test::open_descriptors() - 2 * how.workers; // a pidfd and a channel each
    all.run();
    segment.sweep();
    const auto lost = static_cast<std::ptrdiff_t>(test::open_descriptors() - descriptors);
    role.say("descriptors lost: " + std::to_string(lost) + ", processes left: " + std::to_string(segment.processes().size()) +
             ", handles of the listener left: " + std::to_string(listener.handles().size()));
    return 0;
}

TEST_CASE("kill -9 of random workers under load fails no request but those of their own connections", "[prefork][G7]")
{
    const bool is_long      = std::getenv("SHAREDSOCK_TEST_LONG") != nullptr;
    const int rounds        = is_long ? 60 : 12;
    const auto pause        = is_long ? 1s : 250ms;
    const std::size_t count = 4;
    const std::string name  = test::unique_name();
    test::child_process server("serves although its workers are killed", {name, std::to_string(count)});
    record seen;
    std::vector<std::jthread> threads;
    const test::at_the_end enough([&] { seen.stop = true; }); // by an exception too
    std::vector<death> deaths;
    std::map<std::size_t, pid_t> workers;
    const auto hear = [&] { // one line: a worker that is ready, or something else
        const std::string said = server.line();
        std::size_t place      = 0;
        pid_t pid              = 0;
        if (std::sscanf(said.c_str(), "%zu %d", &place, &pid) == 2) workers[place] = pid;
        return said;
    };
    const auto port = static_cast<std::uint16_t>(std::stoi(server.line()));
    while (hear() != "ready") {
    }
    {
        auto segment        = ss::segment::open(name);
        const auto listener = ss::shared_socket::open_published(segment, "listener");
        for (int i = 0; i < 12; ++i) // connections that stay, and short ones
            threads.emplace_back([&seen, port, i] { client(port, i < 8 ? 1'000'000 : 3, seen).run(); });
        REQUIRE(test::eventually([&] { return seen.requests > 1'000; }));

        const unsigned seed = is_long ? std::random_device()() : 5;
        INFO("seed " << seed);
        std::mt19937 random(seed);
        for (int round = 0; round < rounds; ++round) {
            ::poll(nullptr, 0,
                   static_cast<int>(std::chrono::milliseconds(pause).count())); // the rhythm, not an order of events
            const std::size_t place = random() % count;
            const pid_t victim      = workers.at(place);
            const auto owner        = listener.registration();
            const auto owners_id    = segment.find_process(victim);
            const int process       = static_cast<int>(::syscall(SYS_pidfd_open, victim, 0));
            death one{victim, owner && owners_id && owner->owner == *owners_id, now_ns(), 0};
            ::kill(victim, SIGKILL);
            pollfd dead{process, POLLIN, 0};
            REQUIRE(::poll(&dead, 1, 20'000) == 1);
            one.visible = now_ns();
            ::close(process);
            deaths.push_back(one);
            while (workers.at(place) == victim)
                hear(); // the killed worker's successor
        }
        const long before = seen.requests;
        REQUIRE(test::eventually([&] { return seen.requests > before + 100; }));
        seen.stop = true;
        for (std::jthread& each : threads)
            each.join();
    }

    // Each failure belongs to a killed worker: by the name it had given, or, of a connection that had none yet, by the time. A
    // worker greets each connection before it accepts the next, so it has at most one of those.
    std::size_t nameless = 0;
    for (const record::failure& one : seen.failures) {
        INFO("server " << one.server << ", refused " << one.refused);
        CHECK_FALSE(one.refused);
        CHECK(std::any_of(deaths.begin(), deaths.end(), [&](const death& each) {
            const bool at_the_time = one.begun <= each.visible && each.killed <= one.ended;
            return at_the_time && (one.server == 0 || one.server == each.who);
        }));
        nameless += one.server == 0;
    }
    CHECK(nameless <= deaths.size());

    std::sort(seen.accepts.begin(), seen.accepts.end());
    std::vector<std::int64_t> from_kill, from_visible, of_owners;
    for (const death& each : deaths) {
        const auto next = std::find_if(seen.accepts.begin(), seen.accepts.end(),
                                       [&](const auto& accept) { return accept.first > each.killed && accept.second != each.who; });
        REQUIRE(next != seen.accepts.end()); // accepting goes on after every death
        from_kill.push_back(next->first - each.killed);
        from_visible.push_back(std::max<std::int64_t>(0, next->first - each.visible));
        if (each.had_turn) of_owners.push_back(from_visible.back());
    }
    std::cout << "kill under load: " << deaths.size() << " workers killed, " << seen.requests << " requests and "
              << seen.accepts.size() << " accepts; " << seen.failures.size() << " connections of the killed failed (" << nameless
              << " before their greeting), no other; next accept after the kill: median " << in_ms(from_kill, 0.5) << " ms, 95 % "
              << in_ms(from_kill, 0.95) << ", most " << in_ms(from_kill, 1) << "; after the death was visible: median "
              << in_ms(from_visible, 0.5) << ", most " << in_ms(from_visible, 1) << "; of the " << of_owners.size()
              << " whose turn it was: median " << in_ms(of_owners, 0.5) << ", most " << in_ms(of_owners, 1) << std::endl;

    server.kill(SIGTERM);
    std::string last;
    do {
        last = hear();
    } while (last.find("lost") == std::string::npos);
    CHECK(last == "descriptors lost: 0, processes left: 1, handles of the listener left: 1");
    CHECK(server.wait() == 0);
    ss::segment::remove(name);
}
