// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/winsock/types.hpp>

#include <span>

#include <sys/time.h>

/// Values of socket options, between Winsock's form and Linux's. Pure.
namespace sharedsock::winsock::detail {

enum class option_kind {
    as_is,       ///< the same bytes in both
    flag,        ///< an int in Linux; Windows takes a single byte as well
    duration,    ///< a timeval; a DWORD of milliseconds
    error,       ///< an errno; a WSAE… code
    dont_linger, ///< SO_LINGER, upside down
    room,        ///< a size of a buffer: the kernel doubles it
    reuse,       ///< SO_REUSEADDR, which means another thing to Linux (address_use)
    exclusive,   ///< SO_EXCLUSIVEADDRUSE, of which the kernel does not know
};

option_kind kind_of(int level, int name) noexcept;

/// A limit of 0 ms is none, in both systems.
timeval duration_of(DWORD milliseconds) noexcept;
/// Rounded up, so that a limit does not become none.
DWORD milliseconds_of(const timeval& duration) noexcept;

/// A flag as Winsock programs give it: one byte, two, or an int. False if `value` is empty.
bool read_flag(std::span<const char> value, int& flag) noexcept;

} // namespace sharedsock::winsock::detail
