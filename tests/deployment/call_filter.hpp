// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace test {

/// The name of a system call in the kernel's table, as filters' profiles spell it; "call 123" for one that the library does not
/// make.
std::string kernel_name(std::uint64_t number);

/// The number of the call of that name; throws if `kernel_name` has none of that name.
std::uint64_t kernel_number(const std::string& name);

/// From now on this thread, and all that it starts, can make no system call but these: any other fails with `error`.
void permit_only(const std::set<std::uint64_t>& calls, int error);

/// From now on this thread, and all that it starts, cannot make that system call: it fails with `error`. There is no way back.
void deny_call(std::uint64_t number, int error);

} // namespace test
