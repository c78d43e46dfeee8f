// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "scoreboard.hpp"

#include <sharedsock/shared_socket.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

namespace prefork_http {

struct options {
    std::uint16_t port  = 8080; ///< of the loopback interface; 0: any that is free
    std::size_t workers = 4;
    std::string segment; ///< its name; empty: one with our pid in it
    std::string directory = "/dev/shm";
    bool quiet            = false;
};

/// The parent: makes the segment and the listener, and sees to it that there are workers. It accepts nothing itself.
class server {
public:
    explicit server(options wanted);
    ~server(); ///< stops the workers, and removes the segment
    server(const server&)            = delete;
    server& operator=(const server&) = delete;

    void start(); ///< all the workers
    void run();   ///< replaces workers that die, until SIGTERM or SIGINT
    bool stop();  ///< asks the workers to end, kills those that do not; whether all of them ended well

    void replace_the_dead(); ///< those that there are now. Throws when workers die as soon as they start.

    const options& settings() const noexcept { return options_; }
    const sharedsock::shared_socket& listener() const noexcept { return listener_; }
    scoreboard& scores() noexcept { return scores_; }

private:
    struct child {
        pid_t pid = 0; // 0: none
        std::chrono::steady_clock::time_point since{};
    };

    void start_worker(std::size_t place);
    [[noreturn]] void be_worker(std::size_t place);
    child* find(pid_t pid);
    void say(const std::string& line) const;

    options options_;
    sigset_t signals_; // SIGCHLD, SIGTERM, SIGINT: they wait until we ask for them
    scoreboard scores_;
    sharedsock::segment segment_;
    sharedsock::shared_socket listener_;
    std::vector<child> children_;
    int quick_deaths_ = 0; // one after the other
};

} // namespace prefork_http
