// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Every allocation of every public operation fails once: the operation throws std::bad_alloc or reports an error, and nothing has
// changed; or it has done its work all the same.
#include "fault/harness/call_survivor.hpp"
#include "fault/harness/outcome_of.hpp"
#include "fault/harness/sampling.hpp"
#include "support/catch.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

TEST_CASE("an operation in which any one allocation fails reports it or has done its work, can be done again, and leaves nothing",
          "[G7][G10]")
{
    test::call_survivor here;
    const auto run = [&](const std::string& operation, std::size_t nth) {
        test::child_process child = here.prepare(operation, nth);
        child.tell("go");
        const test::outcome_of outcome(child);
        here.check();
        return outcome;
    };
    struct point {
        std::string operation;
        std::size_t nth;
    };
    std::vector<point> points;
    for (const auto& [name, one] : test::public_operations()) {
        INFO(name);
        const test::outcome_of undisturbed = run(name, 0);
        CHECK(undisturbed.done);
        for (std::size_t nth = 1; nth <= undisturbed.allocations; ++nth)
            points.push_back({name, nth});
    }
    const test::sampling sample(200);
    const auto chosen    = sample.of(points);
    std::size_t reported = 0;
    for (const point& each : chosen) {
        INFO(sample.text() << ": " << each.operation << ", allocation " << each.nth);
        try {
            reported += !run(each.operation, each.nth).done;
        } catch (const std::exception& hung_or_crashed) {
            FAIL_CHECK(hung_or_crashed.what());
            here.check();
        }
    }
    std::printf("%s: %zu operations, %zu of %zu failing allocations, %zu reported\n", sample.text().c_str(),
                test::public_operations().size(), chosen.size(), points.size(), reported);
    CHECK(reported > 0);
}
