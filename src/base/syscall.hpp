// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cerrno>

namespace sharedsock::detail {

/// The error of this thread's last system call.
inline error_code last_error() noexcept { return {errno, boost::system::system_category()}; }

/// Makes a system call, again as long as a signal handler interrupts it; returns its result.
template <typename Call>
auto uninterrupted(Call call) noexcept
{
    auto result = call();
    while (result == -1 && errno == EINTR) {
        result = call();
    }
    return result;
}

} // namespace sharedsock::detail
