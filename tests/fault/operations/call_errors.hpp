// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "fault/harness/call_tracer.hpp"

#include <string>
#include <vector>

namespace test {

/// The errors that a system call may have at a place where the library makes it: those of its man page that do not need a
/// mistake of the caller (EBADF, EFAULT, EINVAL). Empty for calls that cannot fail then.
std::vector<int> errors_of(const system_call& call);

/// Whether the call has done its work even where it fails: the number of a descriptor is free after any close(2).
bool made_though_failed(const system_call& call);

std::string name_of(const system_call& call);

} // namespace test
