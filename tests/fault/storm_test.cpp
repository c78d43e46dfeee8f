#include "fault/harness/storm.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace {

// No storm repeats exactly, because the scheduler takes part. The same seed makes a similar one.
void endure(bool stops)
{
    test::storm_options options;
    options.stops = stops;
    options.seed  = std::random_device()();
    if (const char* seed = std::getenv("SHAREDSOCK_STORM_SEED")) {
        options.seed = static_cast<std::uint32_t>(std::strtoul(seed, nullptr, 10));
    }
    if (const char* seconds = std::getenv("SHAREDSOCK_STORM_SECONDS")) {
        options.duration = std::chrono::seconds(std::strtoul(seconds, nullptr, 10)) / 2;
    } else if (std::getenv("SHAREDSOCK_TEST_LONG") != nullptr) {
        options.duration = std::chrono::minutes(2);
    }
    const test::storm_report report = test::run_storm(options);
    std::printf("seed %u: %s\n", options.seed, report.text().c_str());
    INFO("SHAREDSOCK_STORM_SEED=" << options.seed);
    for (const std::string& finding : report.findings) {
        FAIL_CHECK(finding);
    }
    CHECK(report.quiets > 0);
    CHECK(report.events > 0);
    CHECK(report.take_overs > 0);
}

} // namespace

TEST_CASE("processes that are killed at random lose no event, deliver none too late, and leave nothing",
          "[fault-7][fault-18][fault-20][fault-35][fault-70][fault-75][fault-78][G2][G4][G7]")
{
    endure(false);
}

TEST_CASE("processes that are killed and stopped at random lose no event, deliver none too late, and leave nothing",
          "[fault-11][fault-12][G2][G4][G7]")
{
    endure(true);
}
