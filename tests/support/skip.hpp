// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// Test cases that cannot run on this machine. Catch2 has SKIP() from version 3.3 only; this works with every version.
#pragma once

#include <string>

namespace test {

/// Counts the running test case as skipped, not as passed, even if other parts of it run. The caller returns from the case, or
/// from the part that cannot run:
///
///     if (!may_mount()) {
///         test::skip("this process may not mount a tmpfs");
///         return;
///     }
///
/// A failure in the same case still counts as a failure. Call it in the thread that runs the case.
void skip(const std::string& reason);

/// The exit code by which ctest knows that every case of a run was skipped (SKIP_RETURN_CODE in tests/CMakeLists.txt).
inline constexpr int all_skipped = 4;

/// Prints the skipped cases of the run that has ended, and returns the exit code of the test binary. `result`: that of Catch2,
/// which in version 2 is the number of failed assertions, and so could be 4 as well.
int finish_run(int result);

} // namespace test
