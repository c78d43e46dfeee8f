// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The segments (unique_name) and directories (scratch_directory) of processes that were killed before they removed them.
#pragma once

#include <sys/types.h>

namespace test {

/// Removes the segments and directories that a dead process has left in shared memory.
void remove_leftovers_of(pid_t process);

/// The same for all dead processes. A test binary that ctest kills at its time limit removes nothing: the next one does.
void remove_leftovers_of_the_dead();

} // namespace test
