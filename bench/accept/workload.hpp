// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace accept_bench {

/// The load that the clients make: a closed loop of `connections` at one time, each with a pause between its requests.
struct workload {
    std::string name; ///< "sequential", "low", "middle", "full"
    unsigned connections = 1;
    std::chrono::microseconds think{};        ///< mean; each pause is between half of it and one and a half
    unsigned requests_per_connection = 1;     ///< 1: a connection each
    bool one_in_ten_long             = false; ///< every tenth request costs the worker two milliseconds of CPU
};

/// The loads that are compared: sequential, low, middle, full; a connection each and keep-alive; short and mixed.
std::vector<workload> all_workloads(unsigned keep_alive_requests);

/// "full, a connection each, short"
std::string describe(const workload& one);

inline constexpr std::chrono::microseconds long_request{2'000};

} // namespace accept_bench
