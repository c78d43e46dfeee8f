#include "fault/harness/stepper.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

TEST_CASE("SIGKILL after any instruction of any operation leaves a segment that the survivor can repair and use",
          "[fault-1][fault-2][fault-4][fault-5][fault-6][fault-79][G7]")
{
    if (!test::can_step()) {
        test::skip("instructions are stepped on x86-64 only, in a build without sanitizers");
        return;
    }
    test::step_options options;
    if (std::getenv("SHAREDSOCK_TEST_LONG") == nullptr) {
        options.most_points = 500; // seeded, so the same ones each time
    }
    std::size_t instructions = 0, kills = 0;
    std::chrono::nanoseconds time{};
    for (const test::operation& each : test::operations()) {
        const test::step_report report = test::step_through(each, options);
        std::printf("%s\n", report.line().c_str());
        std::fflush(stdout);
        instructions += report.instructions;
        kills += report.kills;
        time += report.time;
        for (const auto& [what, finding] : report.findings) {
            FAIL_CHECK(each.name << ": " << what << ", " << finding.count << " times, first " << finding.first);
        }
    }
    std::printf("%zu operations, %zu instructions, %zu kills, %.1f s\n", test::operations().size(), instructions, kills,
                std::chrono::duration<double>(time).count());
}
