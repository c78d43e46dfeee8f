// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/outcome_of.hpp"

#include "support/catch.hpp"

#include <string>

namespace test {

outcome_of::outcome_of(child_process& child)
{
    const std::string first = child.line();
    INFO("it said: " << first);
    done = first == "done";
    CHECK(child.line() == "so");
    allocations = std::stoul(child.line());
    if (!done) {
        CHECK(child.line() == "done"); // the second attempt
        CHECK(child.line() == "so");
    }
    CHECK(child.line() == "0"); // descriptors that leaked
    child.close_input();
    CHECK(child.wait() == 0);
}

} // namespace test
