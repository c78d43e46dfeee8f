// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/child_process.hpp"

#include <cstddef>

namespace test {

/// The outcome of an operation in the role "does one operation", which has been told to go.
struct outcome_of {
    explicit outcome_of(child_process& child); ///< also checks the outcome, that a second attempt succeeds, and that nothing leaks

    bool done               = false;
    std::size_t allocations = 0;
};

} // namespace test
