// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

namespace sharedsock::prefork::detail {

/// Makes each system call by which a supervisor and its workers wait for each other, and end each other, once and without effect.
/// The error names the first that is denied: without it a supervisor would wait for nothing, or for ever.
void check_needed_calls(error_code& ec) noexcept;

} // namespace sharedsock::prefork::detail
