// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Clients of a service, and the workers that answer them: over plain sockets, as any client has them.
#pragma once

#include <sharedsock/prefork.hpp>

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace test {

/// A connection to a service. A worker that has accepted it says "hello PID" and waits for a line.
class client {
public:
    explicit client(std::uint16_t port); ///< returns when a worker has accepted it
    ~client();
    client(const client&)            = delete;
    client& operator=(const client&) = delete;

    pid_t server() const noexcept { return server_; }
    /// Sends a line and returns the answer: to "go" it is "answer", to "signals" the masks of the worker, to "orphan" the pid of a
    /// process whose parent has died, and that ends, to "exists PID" yes or no. "end": the connection has ended; "lost": it was
    /// reset.
    std::string ask(const std::string& line);

    void say(const std::string& line) const; ///< to "hang" there is no answer

private:
    int socket_;
    pid_t server_ = 0;
};

/// The rules of a worker that serves.
struct serving {
    std::uint64_t ends_after    = 0; ///< so many requests; 0: never
    std::uint64_t retires_after = 0; ///< and some jitter; 0: never
    std::uint64_t jitter        = 0;
};

/// A listener on the loopback interface, non-blocking.
int listen_on_loopback(std::uint16_t& port);
/// The talk with the client of one connection, which is closed at the end; returns the request.
std::string converse(int connection);
/// Waits for a client and talks with it.
void converse_with_the_next(int listener);
/// A worker's function: says that it is ready, talks with one client after the other, and beats in between, until it is to drain.
int serve(sharedsock::prefork::worker& self, int listener, const serving& how = {});

} // namespace test
