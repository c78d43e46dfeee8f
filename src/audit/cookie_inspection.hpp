// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/table_view.hpp"

#include <string>
#include <vector>

namespace sharedsock::command {

/// The live slots that are one socket of the kernel (two slots have two registrations for it, against G1), and those that the index
/// by cookie misses (`adopt` would make a second slot), in words.
std::vector<std::string> contradictions_of_cookies(const detail::table_view& bytes);

} // namespace sharedsock::command
