// Processes that share sockets, and are killed and stopped at random.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace test {

struct storm_options {
    std::chrono::milliseconds duration{7500}; // the test runs two
    std::uint32_t seed = 1;
    bool stops         = true;  ///< SIGSTOP and SIGCONT as well
    bool first_finding = false; ///< end with the first finding
};

/// Counts of what happened, and the broken properties. P1 to P7 are:
///
///   P1  no event of a registration that is older than one whose take-over has returned with its fence passed
///   P2  one delivery at a time
///   P3  data and a living owner: the data is read, though every process sleeps without a time limit
///   P4  the audit of core_member
///   P5  every living process that lost a registration was told
///   P6  a ticket is redeemed or withdrawn, once
///   P7  no process stands by while none owns
struct storm_report {
    std::uint64_t kills = 0, stops = 0, quiets = 0;
    std::uint64_t events = 0, spurious = 0, refused = 0, take_overs = 0, fenced = 0, pending = 0;
    std::uint64_t foreign_reads = 0, told = 0, successions = 0, passed_on = 0, closes = 0;
    std::uint64_t redeemed = 0, withdrawn = 0, lock_timeouts = 0, sweeps = 0, owner_deaths = 0;
    std::uint64_t settle_us_median = 0, settle_us_max = 0;
    std::vector<std::string> findings;

    std::string text() const;
};

/// Six workers, eight sockets: they deliver, take over, read without being owner, close and open handles, stand by, pass on,
/// and send each other tickets, until they are killed and replaced. Now and then all is made quiet, and P3 to P7 are checked.
/// Sleeping orders nothing here: it only leaves the workers time to come to different places.
storm_report run_storm(const storm_options& options);

} // namespace test
