// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/scheme.hpp"
#include "accept/workload.hpp"

#include <chrono>
#include <vector>

namespace accept_bench {

/// The results of one scheme with one load in one stretch of time.
struct measured {
    double requests_per_second     = 0;
    double cpu_us_per_request      = 0; ///< of the workers, and of the processes that work for them
    double busiest_share           = 0; ///< the accepts of the busiest worker over an even share; 0: not known
    double busiest_requests        = 0; ///< the requests of the busiest worker over an even share
    double wasted_per_connection   = 0; ///< waits that ended in the kernel or in the worker, and nothing came of it
    double sleeps_per_request      = 0; ///< voluntary context switches
    double wakes_per_request       = 0;
    double hands_on_per_connection = 0;
    double latency_us              = 0; ///< mean
    double latency_99_us           = 0;
    std::uint64_t connections      = 0;
    std::uint64_t failures         = 0;
};

struct round_options {
    unsigned workers = 2;
    std::chrono::milliseconds warm_up{60};
    std::chrono::milliseconds window{400};
    unsigned seed = 1;
};

/// Starts the workers and the client, measures in the window, ends them.
measured run_round(scheme& subject, const workload& load, const round_options& options);

} // namespace accept_bench
