// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The process that is killed in a storm.
#pragma once

#include "fault/harness/storm_theatre.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace test::storm {

/// A process that makes at random all the calls that processes make on sockets they share, and notes its beliefs in the ghosts for
/// the judge.
class worker {
public:
    worker(theatre& where, std::uint32_t seed);

    [[noreturn]] void work();

private:
    struct hold {
        record_id handle;
        std::uint32_t epoch = 0;     // of this worker's registration
        bool watched        = false; // has an epoll entry
        bool stands_by      = false;
    };

    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
    std::uint32_t me() { return member_->self().index; }
    socket_slot& slot(std::uint32_t i) { return member_.slot(theatre_.places[i].socket); }
    registration_word word(std::uint32_t i) { return load(slot(i).registration); }
    socket_and_handle which(std::uint32_t i) { return {theatre_.places[i].socket, holds_[i].handle}; }

    void start();
    void answer_bell();
    void act(std::uint32_t i);
    bool had(const error_code& ec); // whether a call succeeded; throws for an error that no storm can cause

    // storm_worker_registrations.cpp
    void believe(std::uint32_t i, std::uint32_t epoch);
    void watch(std::uint32_t i); // and look at the present state
    void forget(std::uint32_t i);
    void look(std::uint32_t i);
    void take_over(std::uint32_t i);
    void cancel(std::uint32_t i);
    void stand_by(std::uint32_t i);
    void stand_down(std::uint32_t i);
    void pass_on(std::uint32_t i);

    // storm_worker_events.cpp
    void deliver(std::uint32_t i, bool quiet);
    bool read(std::uint32_t i, char* bytes, std::size_t count);
    void read_without_owning(std::uint32_t i);

    // storm_worker_handles.cpp
    void open(std::uint32_t i);
    void close(std::uint32_t i);
    void send_ticket(std::uint32_t i);
    void take_ticket();
    void close_redeemed();
    void count_outcome(std::atomic<std::uint64_t>& kind, std::uint64_t nonce);

    theatre& theatre_;
    ghosts& ghost_;
    std::mt19937 random_;
    core_member member_;
    unique_fd epoll_;
    std::array<hold, sockets> holds_{};
    std::vector<socket_and_handle> redeemed_;
};

} // namespace test::storm
