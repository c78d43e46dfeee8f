// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "command/arguments.hpp"
#include "command/failure.hpp"

#include <sharedsock/error.hpp>

#include <string>
#include <vector>

namespace sharedsock::command {

/// The condition of a segment that cannot be opened.
struct condition {
    std::string state;  ///< "stale boot", "other layout", "damaged", "unreadable"
    std::string reason; ///< in a few words
};
condition condition_of(const error_code& ec);

/// The meaning of `ec` for a verb that needs the segment.
failure cannot_open(const std::string& name, const arguments& given, const error_code& ec);

/// "of yours", or "of user 33".
std::string whose(const arguments& given);

/// The names of all segments below the directory; throws `failure`.
std::vector<std::string> segment_names(const arguments& given);

} // namespace sharedsock::command
