// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>
#include <ctime>

namespace sharedsock::detail {

/// Nanoseconds of CLOCK_REALTIME, which can be set: for people to read, never for decisions.
inline std::uint64_t wall_clock_ns() noexcept
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace sharedsock::detail
