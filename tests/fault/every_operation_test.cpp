// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Runs the public operations undisturbed; other tests kill them or make them fail. Under valgrind each process is checked as well:
// see docs/faults.md.
#include "fault/harness/call_survivor.hpp"
#include "fault/harness/outcome_of.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <cstdlib>

TEST_CASE("every public operation succeeds when nothing fails, and leaves nothing", "[undisturbed]")
{
    test::call_survivor here;
    const bool knows_pidfds = std::getenv("SHAREDSOCK_TEST_WRAPPER") == nullptr; // prefork needs them, valgrind lacks them
    for (const auto& [name, one] : test::public_operations()) {
        if (name == "run a worker" && !knows_pidfds) {
            test::skip("the wrapper that runs the children knows no pidfds, so no worker is run");
            continue;
        }
        INFO(name);
        test::child_process child = here.prepare(name);
        child.tell("go");
        CHECK(test::outcome_of(child).done);
        here.check();
    }
}
