// A harness that cannot fail proves nothing. This program is built with one deliberate mistake in the core (see
// tests/fault/mutations) and lets the harness look for it:
//
//   negative_control <steps|storm> [seconds]
//
// Ends with 1 and "found: <what>" if the harness finds a broken invariant, as it must, with 0 if it finds nothing.
#include "fault/harness/stepper.hpp"
#include "fault/harness/storm.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

namespace {

int found(const std::string& what)
{
    std::printf("found: %s\n", what.c_str());
    return 1;
}

int step()
{
    test::step_options options;
    options.most_points   = 150;
    options.first_finding = true;
    for (const test::operation& each : test::operations()) {
        const test::step_report report = test::step_through(each, options);
        if (!report.findings.empty()) {
            return found(each.name + ": " + report.findings.begin()->first);
        }
    }
    return 0;
}

int storm(int seconds)
{
    test::storm_options options;
    options.duration                = std::chrono::seconds(seconds);
    options.first_finding           = true;
    const test::storm_report report = test::run_storm(options);
    return report.findings.empty() ? 0 : found(report.findings.front());
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string harness = argc > 1 ? argv[1] : "";
    if (harness == "steps") {
        if (!test::can_step()) {
            return found("nothing, because this build cannot be stepped");
        }
        return step();
    }
    return storm(argc > 2 ? std::atoi(argv[2]) : 20);
} catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 2;
}
