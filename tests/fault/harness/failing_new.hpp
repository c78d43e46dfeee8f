// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>

namespace test {

/// Has one allocation of this thread fail, by operator new in any form: the `nth` that follows, counted from 1. 0: none fails, and
/// they are counted. A program gets this by linking failing_new.cpp.
void fail_allocation(std::size_t nth);
/// Has one allocation fail in the process that this one forks, counted from the beginning of the child's fork handlers.
void fail_allocation_in_child(std::size_t nth);
/// Ends the counting; returns how many allocations there were, in the child after `fail_allocation_in_child`.
std::size_t allocations() noexcept;

} // namespace test
