// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "net.hpp"

#include <functional>
#include <string>
#include <vector>

/// One thread that waits for up to 64 event objects, as in many a Winsock textbook: connections to echo, a listener, signals of
/// other threads. Every connection has an event object of its own.
class echo_loop {
public:
    echo_loop() = default;
    ~echo_loop();
    echo_loop(const echo_loop&)            = delete;
    echo_loop& operator=(const echo_loop&) = delete;

    /// Calls `when_waiting` whenever a connection waits at `listener`, which stays the caller's. False, and WSAGetLastError.
    bool listen_to(SOCKET listener, std::function<void()> when_waiting);

    /// Sends back all that `connection` receives, until it ends, and closes it. False, and WSAGetLastError: it stays the caller's.
    bool serve(SOCKET connection);

    /// An event object; `when_set` is called after a WSASetEvent. WSA_INVALID_EVENT if there is no room.
    WSAEVENT add_signal(std::function<void()> when_set);

    bool full() const { return entries_.size() == WSA_MAXIMUM_WAIT_EVENTS; }
    int open_connections() const { return open_; }

    /// Waits for events and handles them while `wanted` says so. False, and WSAGetLastError, if waiting fails.
    bool run(const std::function<bool()>& wanted);

private:
    struct entry {
        SOCKET socket = INVALID_SOCKET;
        bool echoes   = false;
        std::string unsent{};
        std::function<void()> handler{};
    };

    WSAEVENT add(entry one, long events);
    void remove(std::size_t index);
    void handle(std::size_t index);

    std::vector<WSAEVENT> events_; // contiguous, as WSAWaitForMultipleEvents takes them
    std::vector<entry> entries_;
    int open_ = 0;
};
