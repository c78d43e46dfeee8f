// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/workload.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace accept_bench {

struct client_counters {
    std::atomic<std::uint64_t> answers{0};
    std::atomic<std::uint64_t> failures{0};   ///< connections that were refused, reset or answered otherwise than agreed
    std::atomic<std::uint64_t> latency_ns{0}; ///< sum over the answers, from connect or request to answer
    std::array<std::atomic<std::uint64_t>, 64> histogram{}; ///< answers by latency: bucket i holds 2^(i/2) microseconds and less
    std::atomic<bool> stop{false};
};

/// Runs the load against 127.0.0.1:`port` in this process until `counters.stop`. `seed` decides the pauses.
void run_client(const workload& load, std::uint16_t port, unsigned seed, client_counters& counters);

} // namespace accept_bench
