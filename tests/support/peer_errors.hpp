// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The answer of a peer when a call fails.
#pragma once

#include <sharedsock/error.hpp>

#include <string>

namespace test {

/// The name of its std::errc condition.
std::string condition_name(const sharedsock::error_code& ec);

/// The way in which a handler fails: throws the name of the condition, with that in `sharedsock::errc`, for `serve` to prefix
/// "error: ".
void succeed(const sharedsock::error_code& ec);

/// The text of the latest failure in this thread, as people read it.
const std::string& last_message();

} // namespace test
