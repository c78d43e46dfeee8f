// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/conversation.hpp"
#include "accept/counters.hpp"

#include <cstdint>
#include <memory>

#include <sys/epoll.h>

namespace accept_bench {

class server;

/// How connections reach a worker: all in which the schemes differ.
class connection_source {
public:
    virtual ~connection_source() = default;
    /// In the worker, before its loop: adds descriptors to the worker's epoll, with numbers below zero.
    virtual void start(server& to) = 0;
    /// One of those descriptors is ready.
    virtual void ready(server& to, std::int32_t which) = 0;
    /// A connection of this worker is about to be closed.
    virtual void ending(server&, int /*connection*/) {}
    /// The worker is about to wait.
    virtual void before_wait(server&) {}
};

/// A server on one epoll: level-triggered, one read and one write a request. The same for every scheme.
class server {
public:
    server(connection_source& from, conversation& http, worker_counters& counters);
    ~server();
    server(const server&)            = delete;
    server& operator=(const server&) = delete;

    [[noreturn]] void run(); ///< until a signal ends the process

    void begin(int connection);                                    ///< for the source: a new connection, non-blocking
    void watch(int fd, std::uint32_t events, std::int32_t number); ///< for the source
    void unwatch(int fd);
    unsigned open() const noexcept { return open_; } ///< connections now
    worker_counters& counters() noexcept { return counters_; }
    int epoll() const noexcept { return epoll_; }

private:
    void end(int connection);

    connection_source& source_;
    conversation& http_;
    worker_counters& counters_;
    int epoll_;
    unsigned open_ = 0;
};

[[noreturn]] void fail(const char* what); ///< says errno and ends the process

} // namespace accept_bench
