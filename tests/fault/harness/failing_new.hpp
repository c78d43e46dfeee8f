// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>

namespace test {

/// Has one allocation of this thread fail, by operator new in whatever form: the `nth` that follows, counted from 1. 0: none
/// fails, and they are counted. A program has it by linking failing_new.cpp.
void fail_allocation(std::size_t nth);
/// Likewise in the process that this one forks, from the beginning of its fork handlers on.
void fail_allocation_in_child(std::size_t nth);
/// Ends that; how many there were, in the child if it was about that.
std::size_t allocations() noexcept;

} // namespace test
