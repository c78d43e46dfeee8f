// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cerrno>
#include <cstdint>

/// Errors that are kept in the segment, where anything may stand in their place.
namespace sharedsock::detail {

inline constexpr int largest_errno = 4095; // the kernel's own limit
/// Stands for what is no errno. No call on a socket fails with it, and it is what `errc::segment_damaged` compares equal to.
inline constexpr int damaged_errno = ENOTRECOVERABLE;

/// An errno as the segment has it: 0, or 1 to 4095, or `damaged_errno`. Every errno that is read out of the segment comes through
/// here.
constexpr int errno_in(std::uint32_t stored) noexcept
{
    return stored <= static_cast<std::uint32_t>(largest_errno) ? static_cast<int>(stored) : damaged_errno;
}

/// What to tell a caller of an errno that may have come out of the segment.
inline error_code told_error(int number) noexcept
{
    if (number == damaged_errno) return errc::segment_damaged;
    return {number, boost::system::system_category()};
}

/// `socket_slot::peer_end` and `own_end`. Whether a stream ended in order may hang on them alone once the kernel has forgotten, so
/// they are not a bit, which any damage can set.
enum class end_mark : std::uint32_t { none = 0, set = 0x656e6421 };

} // namespace sharedsock::detail
