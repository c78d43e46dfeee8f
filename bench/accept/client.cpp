// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/client.hpp"

#include "accept/counters.hpp"
#include "accept/server.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <queue>
#include <random>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace accept_bench {
namespace {

using clock = std::chrono::steady_clock;

class client {
public:
    client(const workload& load, std::uint16_t port, unsigned seed, client_counters& counters)
        : load_(load), counters_(counters), random_(seed), epoll_(::epoll_create1(EPOLL_CLOEXEC)), lines_(load.connections)
    {
        to_.sin_family      = AF_INET;
        to_.sin_port        = htons(port);
        to_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    ~client()
    {
        for (line& one : lines_)
            if (one.fd >= 0) ::close(one.fd);
        ::close(epoll_);
    }

    void run()
    {
        for (std::size_t i = 0; i < lines_.size(); ++i)
            later(i);
        epoll_event events[64];
        while (!counters_.stop.load(std::memory_order_relaxed)) {
            while (!paused_.empty() && paused_.top().first <= clock::now()) {
                const std::size_t which = paused_.top().second;
                paused_.pop();
                ask(which);
            }
            const int count = ::epoll_pwait2(epoll_, events, 64, &until_next(), nullptr);
            for (int i = 0; i < count; ++i)
                answer(events[i].data.u64);
        }
    }

private:
    struct line {
        int fd        = -1;
        unsigned left = 0; // requests on this connection
        clock::time_point asked;
    };

    const timespec& until_next()
    {
        const auto most = std::chrono::nanoseconds(std::chrono::milliseconds(20)); // to look at `stop`
        auto wait       = most;
        if (!paused_.empty())
            wait = std::clamp<std::chrono::nanoseconds>(paused_.top().first - clock::now(), std::chrono::nanoseconds(0), most);
        wait_ = {0, static_cast<long>(wait.count())};
        return wait_;
    }

    void later(std::size_t which)
    {
        if (load_.think.count() == 0) return ask(which);
        std::uniform_int_distribution<std::int64_t> pause(load_.think.count() / 2, load_.think.count() * 3 / 2);
        paused_.emplace(clock::now() + std::chrono::microseconds(pause(random_)), which);
    }

    void ask(std::size_t which)
    {
        line& one = lines_[which];
        one.asked = clock::now();
        if (one.fd < 0 && !connect(which)) return;
        const bool last    = one.left == 1;
        const bool is_long = load_.one_in_ten_long && random_() % 10 == 0;
        using namespace std::string_view_literals;
        const std::string_view text =
            is_long ? (last ? "GET /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"sv
                            : "GET /long HTTP/1.1\r\nHost: a\r\n\r\n"sv)
                    : (last ? "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"sv : "GET / HTTP/1.1\r\nHost: a\r\n\r\n"sv);
        if (::send(one.fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) lose(which);
    }

    // Blocking: on loopback the kernel answers at once, before any worker accepts.
    bool connect(std::size_t which)
    {
        line& one = lines_[which];
        one.fd    = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (one.fd < 0) fail("socket");
        if (::connect(one.fd, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) != 0) {
            lose(which);
            return false;
        }
        const linger none{1, 0}; // a reset at the end: no port stays in TIME_WAIT
        ::setsockopt(one.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        one.left = load_.requests_per_connection;
        epoll_event event{};
        event.events   = EPOLLIN;
        event.data.u64 = which;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, one.fd, &event) != 0) fail("epoll_ctl");
        return true;
    }

    void answer(std::size_t which)
    {
        line& one = lines_[which];
        char text[1024];
        const ssize_t got = ::recv(one.fd, text, sizeof text, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0 || !std::string_view(text, static_cast<std::size_t>(got)).starts_with("HTTP/1.1 200 OK")) return lose(which);
        const auto took = static_cast<std::uint64_t>((clock::now() - one.asked).count());
        add(counters_.answers);
        add(counters_.latency_ns, took);
        add(counters_.histogram[bucket(took)]);
        if (--one.left == 0) {
            ::close(one.fd);
            one.fd = -1;
        }
        later(which);
    }

    static std::size_t bucket(std::uint64_t nanoseconds)
    {
        std::size_t place = 0;
        for (double limit = 1'000; limit < static_cast<double>(nanoseconds) && place < 63; limit *= 1.41421356)
            ++place;
        return place;
    }

    void lose(std::size_t which)
    {
        line& one = lines_[which];
        add(counters_.failures);
        ::close(one.fd);
        one.fd = -1;
        paused_.emplace(clock::now() + std::chrono::milliseconds(1), which);
    }

    const workload load_;
    client_counters& counters_;
    std::minstd_rand random_;
    const int epoll_;
    std::vector<line> lines_;
    using due = std::pair<clock::time_point, std::size_t>;
    std::priority_queue<due, std::vector<due>, std::greater<>> paused_;
    sockaddr_in to_{};
    timespec wait_{};
};

} // namespace

void run_client(const workload& load, std::uint16_t port, unsigned seed, client_counters& counters)
{
    client(load, port, seed, counters).run();
}

} // namespace accept_bench
