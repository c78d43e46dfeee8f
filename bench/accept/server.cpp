// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/server.hpp"

#include "accept/workload.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace accept_bench {
namespace {

constexpr std::string_view keep = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n";
constexpr std::string_view last = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

std::int64_t own_time_ns()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

void work_long() // of this thread's own time: however busy the machine is, it is the same work
{
    const auto end = own_time_ns() + std::chrono::nanoseconds(long_request).count();
    while (own_time_ns() < end) {
    }
}

} // namespace

void fail(const char* what)
{
    std::perror(what);
    std::_Exit(1);
}

server::server(connection_source& from, worker_counters& counters)
    : source_(from), counters_(counters), epoll_(::epoll_create1(EPOLL_CLOEXEC))
{
    if (epoll_ < 0) fail("epoll_create1");
}

server::~server() { ::close(epoll_); }

void server::watch(int fd, std::uint32_t events, std::int32_t number)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = static_cast<std::uint32_t>(number);
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void server::unwatch(int fd) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void server::begin(int connection)
{
    add(counters_.accepts);
    ++open_;
    watch(connection, EPOLLIN | EPOLLRDHUP, connection);
}

void server::end(int connection)
{
    --open_;
    source_.ending(*this, connection);
    ::close(connection);
}

void server::serve(int connection)
{
    char request[1024]; // our clients send a request whole, and the next one after the answer
    const ssize_t got = ::recv(connection, request, sizeof request, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(connection);
    const std::string_view text(request, static_cast<std::size_t>(got));
    if (!text.ends_with("\r\n\r\n")) return end(connection);
    if (text.starts_with("GET /long")) work_long();
    const bool close = text.find("Connection: close") != text.npos;
    const std::string_view answer = close ? last : keep;
    if (::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return end(connection);
    add(counters_.requests);
    if (close) end(connection);
}

void server::run()
{
    source_.start(*this);
    epoll_event events[64];
    for (;;) {
        source_.before_wait(*this);
        const int count = ::epoll_wait(epoll_, events, 64, -1);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        add(counters_.wakes);
        bool useful = false;
        for (int i = 0; i < count; ++i) {
            const auto number = static_cast<std::int32_t>(events[i].data.u64);
            if (number >= 0) {
                useful = true;
                serve(number);
                continue;
            }
            const auto before = counters_.accepts.load(std::memory_order_relaxed);
            source_.ready(*this, number);
            useful = useful || counters_.accepts.load(std::memory_order_relaxed) != before;
        }
        if (!useful) add(counters_.wasted);
    }
}

} // namespace accept_bench
