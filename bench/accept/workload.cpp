// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/workload.hpp"

namespace accept_bench {

using namespace std::chrono_literals;

std::vector<workload> all_workloads(unsigned keep_alive_requests)
{
    const workload loads[] = {{"sequential", 1, 0us}, {"low", 8, 3000us}, {"middle", 16, 700us}, {"full", 64, 0us}};
    std::vector<workload> all;
    for (const unsigned requests : {1u, keep_alive_requests})
        for (const bool mixed : {false, true})
            for (workload one : loads) {
                one.requests_per_connection = requests;
                one.one_in_ten_long         = mixed;
                all.push_back(one);
            }
    return all;
}

std::string describe(const workload& one)
{
    return one.name + (one.requests_per_connection == 1 ? ", a connection each" : ", keep-alive") +
           (one.one_in_ten_long ? ", mixed" : ", short");
}

} // namespace accept_bench
