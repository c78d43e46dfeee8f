// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "../support/own_segment.hpp"
#include "announcement.hpp"
#include "next_version.hpp"
#include "scoreboard.hpp"

#include <sharedsock/hand_over.hpp>
#include <sharedsock/prefork.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/restart.hpp>
#include <sharedsock/shared_socket.hpp>
#include <sharedsock/systemd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include <sys/types.h>

namespace prefork_http {

struct options {
    std::uint16_t port  = 8080; ///< of the loopback interface; 0: any that is free
    std::size_t workers = 4;
    std::string segment; ///< its name, and the service's; empty: one with this process's pid in it
    std::string directory = "/dev/shm";
    bool quiet            = false;
};

/// The parent: makes the segment and the listener, and supervises the workers. It accepts nothing itself.
///
/// It is one generation of the service. SIGUSR2 starts the program that is installed now; when that is ready, the workers here give
/// their connections to this process between two requests, it gives them to the next one, and that to its own workers.
class server {
public:
    explicit server(options wanted);
    ~server(); ///< stops the workers
    server(const server&)            = delete;
    server& operator=(const server&) = delete;

    void start(); ///< all the workers; returns when they are ready
    /// Replaces workers that die, until SIGTERM or SIGINT, or until the next version serves; SIGHUP replaces all workers, one after
    /// the other.
    void run();
    bool stop(); ///< asks the workers to end, kills those that do not end; whether all of them ended well

    void supervise(); ///< does the work that is due. Throws when workers keep dying.

    const options& settings() const noexcept { return options_; }
    const sharedsock::shared_socket& listener() const noexcept { return listener_; }
    scoreboard& scores() noexcept { return scores_; }

private:
    sharedsock::prefork::options rules();
    int work(sharedsock::prefork::worker& self); // in a worker
    void note(const sharedsock::prefork::worker_status& change);

    // The upgrade: server_upgrade.cpp.
    void on_signal();
    void on_event(sharedsock::restart::event& one);
    void begin_to_serve();
    void say_who_serves(pid_t process);
    void report(const std::string& why_not);
    int give_sign_of_life(); // ms until the next one is due, -1 if none is
    void take_or_decline(const sharedsock::restart::event& offered);
    void adopt(sharedsock::restart::connection from);
    void collect(); // the connections of the workers
    void pass_on(); // to the next version, or to a worker
    void give_on();
    bool give_to_worker(sharedsock::handed_over& one);

    options options_;
    scoreboard scores_;
    sharedsock::restart::generation service_;
    play::own_segment segment_;
    sharedsock::shared_socket listener_;
    sharedsock::process_id parent_; // this process, for its workers
    announcement accept_;           // to the workers: this generation accepts
    /// To the workers that are forked until the next upgrade: a request to drain is one to give the connections to the supervisor.
    std::optional<announcement> move_{std::in_place};
    next_version next_;
    int signals_; // SIGUSR2
    sharedsock::prefork::supervisor workers_;
    sharedsock::systemd::notifier manager_;
    std::optional<std::chrono::microseconds> watchdog_; // the manager ends this process if it hears nothing for so long
    std::chrono::steady_clock::time_point next_sign_{}; // of life
    std::deque<sharedsock::handed_over> moving_;        // connections between two workers
    std::size_t next_worker_ = 0;
    bool has_joined_         = false; // the next version
    bool gives_              = false; // the next version takes the connections
    bool has_finished_       = false;
    bool ended_              = false; // it serves
    bool all_well_           = true;  // since stop was called
};

} // namespace prefork_http
