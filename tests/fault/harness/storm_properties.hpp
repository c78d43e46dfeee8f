// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The properties of storm.hpp that can be seen when all is quiet.
#pragma once

#include "fault/harness/storm_theatre.hpp"

#include <string>

namespace test::storm {

// Each function answers with the first violation that `member` sees; empty if there is none.

/// P3: data waits though a live process owns its events, and the owner was not told since a process last read.
std::string unread_data(const theatre& where, core_member& member);
/// P5: a process lost its registration and was not told.
std::string untold(const theatre& where, core_member& member);
/// P7: a process stands by while none owns the events.
std::string left_standing(const theatre& where, core_member& member);

} // namespace test::storm
