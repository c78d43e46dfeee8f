// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/server.hpp"

#include "accept/scheme.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <unistd.h>

namespace accept_bench {

void fail(const char* what)
{
    std::perror(what);
    std::_Exit(1);
}

server::server(connection_source& from, conversation& http, worker_counters& counters)
    : source_(from), http_(http), counters_(counters), epoll_(::epoll_create1(EPOLL_CLOEXEC))
{
    if (epoll_ < 0) fail("epoll_create1");
}

server::~server() { ::close(epoll_); }

void server::watch(int fd, std::uint32_t events, std::int32_t number)
{
    epoll_event event{};
    event.events   = events;
    event.data.u64 = static_cast<std::uint32_t>(number);
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void server::unwatch(int fd) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void server::begin(int connection)
{
    add(counters_.accepts);
    ++open_;
    http_.begin(connection);
    watch(connection, EPOLLIN | EPOLLRDHUP, connection);
}

void server::end(int connection)
{
    --open_;
    source_.ending(*this, connection);
    http_.end(connection);
    ::close(connection);
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
                if (!http_.serve(number, counters_)) end(number);
                continue;
            }
            const auto before = counters_.accepts.load(std::memory_order_relaxed);
            source_.ready(*this, number);
            useful = useful || counters_.accepts.load(std::memory_order_relaxed) != before;
        }
        if (!useful) add(counters_.wasted);
    }
}

void scheme::work(unsigned worker, worker_counters& counters)
{
    const auto from    = source(worker);
    const auto answers = http();
    server(*from, *answers, counters).run();
}

std::unique_ptr<connection_source> scheme::source(unsigned) { throw std::logic_error("this scheme has workers of its own"); }

} // namespace accept_bench
