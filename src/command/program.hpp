// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "command/arguments.hpp"
#include "command/failure.hpp"

#include <ostream>

namespace sharedsock::command {

/// Executes a command line, and writes the answer to `out`; throws `failure` instead of an answer.
exit_code answer(const arguments& given, std::ostream& out);

} // namespace sharedsock::command
