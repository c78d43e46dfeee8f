// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/catch.hpp"
#include "support/child_process.hpp"

#include <string>

namespace test {

/// The answers of a child in the role "does one operation under a filter": each is "done", or the text of the failure.
struct filtered_operation {
    std::string outcome; ///< of the operation
    std::string verdict; ///< the same, or that the operation says it is done and it is not so

    /// Lets the child, which is ready, begin, and waits for its end. Throws child_error if it hangs or crashes.
    static filtered_operation of(child_process& child)
    {
        child.tell("go");
        filtered_operation answers;
        answers.outcome = child.line();
        answers.verdict = child.line();
        child.wait_for("ended");
        CHECK(child.wait() == 0);
        return answers;
    }
};

} // namespace test
