// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The place of a storm: the memory and the descriptors that its workers and its judge share.
#pragma once

#include "fault/harness/core_fixture.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace test::storm {

inline constexpr std::uint32_t workers  = 6;
inline constexpr std::uint32_t sockets  = 8;
inline constexpr capacities storm_sizes = {.processes = 12, .names = 4, .handles = 128, .sockets = 16};
inline constexpr std::uint32_t tickets  = 1u << 16;

/// The notes of the processes for the judge, beside the segment.
struct ghosts {
    std::atomic<bool> quiet;
    std::atomic<std::uint32_t> idle;
    std::atomic<std::uint32_t> fenced_epoch[sockets];                // latest take-over that returned fenced
    std::atomic<std::uint64_t> inside[sockets];                      // the delivering process: generation and index
    std::atomic<std::uint32_t> mine[storm_sizes.processes][sockets]; // epoch that a process believes to own
    std::atomic<std::uint32_t> unanswered[sockets];                  // registration after whose event no process has read yet
    std::atomic<std::uint64_t> post[storm_sizes.processes];          // ticket on its way to a process
    std::atomic<std::uint8_t> outcomes[tickets];                     // how often a ticket was redeemed or withdrawn
    std::atomic<std::uint32_t> next_ticket;
    std::atomic<std::uint64_t> p1, p2, p6;
    std::atomic<std::uint64_t> events, spurious, refused, take_overs, fenced, pending, foreign_reads, told, successions, passed_on,
        closes, redeemed, withdrawn, lock_timeouts;
};

struct place {
    unique_fd ends[2];
    record_id socket;
};

struct theatre {
    core_segment segment{storm_sizes};
    shared_memory memory{sizeof(ghosts)};
    ghosts& ghost = *reinterpret_cast<ghosts*>(memory.data());
    std::array<place, sockets> places;
};

} // namespace test::storm
