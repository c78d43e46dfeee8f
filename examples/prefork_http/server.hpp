// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "../support/own_segment.hpp"
#include "scoreboard.hpp"

#include <sharedsock/prefork.hpp>
#include <sharedsock/shared_socket.hpp>

#include <cstdint>
#include <string>

namespace prefork_http {

struct options {
    std::uint16_t port  = 8080; ///< of the loopback interface; 0: any that is free
    std::size_t workers = 4;
    std::string segment; ///< its name; empty: one with this process's pid in it
    std::string directory = "/dev/shm";
    bool quiet            = false;
};

/// The parent: makes the segment and the listener, and supervises the workers. It accepts nothing itself.
class server {
public:
    explicit server(options wanted);
    ~server(); ///< stops the workers
    server(const server&)            = delete;
    server& operator=(const server&) = delete;

    void start(); ///< all the workers; returns when they are ready
    void run();   ///< replaces workers that die, until SIGTERM or SIGINT; SIGHUP replaces all, one after the other
    bool stop();  ///< asks the workers to end, kills those that do not end; whether all of them ended well

    void supervise(); ///< does the work that is due. Throws when workers keep dying.

    const options& settings() const noexcept { return options_; }
    const sharedsock::shared_socket& listener() const noexcept { return listener_; }
    scoreboard& scores() noexcept { return scores_; }

private:
    sharedsock::prefork::options rules();
    int work(sharedsock::prefork::worker& self); // in a worker
    void note(const sharedsock::prefork::worker_status& change);

    options options_;
    scoreboard scores_;
    play::own_segment segment_;
    sharedsock::shared_socket listener_;
    sharedsock::prefork::supervisor workers_;
    bool all_well_ = true; // since stop was called
};

} // namespace prefork_http
