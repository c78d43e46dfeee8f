// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/syscall.hpp"

#include <sharedsock/error.hpp>

#include <cerrno>
#include <cstdint>

/// Errors that are kept in the segment, where damage may have put any value in their place.
namespace sharedsock::detail {

inline constexpr int largest_errno = 4095; // the kernel's own limit
/// Stands for a value that is no errno. No call on a socket fails with it, and `errc::segment_damaged` compares equal to it.
inline constexpr int damaged_errno = ENOTRECOVERABLE;

/// An errno as the segment has it: 0, or 1 to 4095, or `damaged_errno`. Every errno that is read out of the segment comes through
/// here.
constexpr int errno_in(std::uint32_t stored) noexcept
{
    return stored <= static_cast<std::uint32_t>(largest_errno) ? static_cast<int>(stored) : damaged_errno;
}

/// The error that a caller is told for an errno that may have come out of the segment.
inline error_code told_error(int number) noexcept
{
    if (number == damaged_errno) return errc::segment_damaged;
    return {number, boost::system::system_category()};
}

/// The same of a call that has just failed with that errno, unless the segment knows another one that it has to report.
inline error_code told_error(int number, const call_category& call) noexcept
{
    return number == damaged_errno ? told_error(number) : error_of(call, number);
}

/// The values of `socket_slot::peer_end` and `own_end`. Once the kernel has forgotten, only they say whether a stream ended in
/// order, so such a mark is not one bit, which any damage can set.
enum class end_mark : std::uint32_t { none = 0, set = 0x656e6421 };

} // namespace sharedsock::detail
