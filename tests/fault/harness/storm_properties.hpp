// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The properties of storm.hpp that can be seen when all is quiet.
#pragma once

#include "fault/harness/storm_theatre.hpp"

#include <string>

namespace test::storm {

// Each answers with the first violation that `member` sees; empty if there is none.

/// P3: data that is there, though somebody lives who owns its events, and was not told since somebody last read.
std::string unread_data(const theatre& where, core_member& member);
/// P5
std::string untold(const theatre& where, core_member& member);
/// P7
std::string left_standing(const theatre& where, core_member& member);

} // namespace test::storm
