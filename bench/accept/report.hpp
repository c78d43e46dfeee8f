// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/round.hpp"

#include <map>
#include <string>
#include <vector>

namespace accept_bench {

/// The rounds of one load with one count of workers: by scheme, in the order of `names`.
struct comparison {
    workload load;
    unsigned workers = 0;
    std::vector<std::string> names;
    std::map<std::string, std::vector<measured>> rounds;
};

/// The median of each figure over the rounds.
measured median(const std::vector<measured>& rounds);
/// The median over the rounds of one scheme's CPU per request over the other's in the same round.
double cpu_ratio(const std::vector<measured>& subject, const std::vector<measured>& reference);
/// The CPU per request of the round that was disturbed least: on a machine that others use too, this repeats where a median
/// does not.
double least_cpu(const std::vector<measured>& rounds);

void print_table(const comparison& one); ///< to standard output
std::string as_json(const std::vector<comparison>& all);

} // namespace accept_bench
