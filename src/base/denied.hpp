// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/syscall.hpp"

#include <cerrno>

namespace sharedsock::detail {

/// The error of a call whose result was `result`, if a filter of system calls denied it; none if the call was made, with whatever
/// result. So a call that cannot succeed, on descriptor -1, tells whether one that is to come is permitted.
inline error_code if_denied(const call_category& call, long result) noexcept
{
    const bool denied = result < 0 && (errno == EPERM || errno == ENOSYS);
    return denied ? last_error(call) : error_code();
}

} // namespace sharedsock::detail
