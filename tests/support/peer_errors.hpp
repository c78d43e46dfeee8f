// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// What a peer answers when a call fails.
#pragma once

#include <sharedsock/error.hpp>

#include <string>

namespace test {

/// The name of its std::errc condition.
std::string condition_name(const sharedsock::error_code& ec);

/// How a handler gives up: throws the name of the condition, with that in `sharedsock::errc`, for `serve` to put "error: " before.
void succeed(const sharedsock::error_code& ec);

/// What the latest call that failed in this thread says to a person.
const std::string& last_message();

} // namespace test
