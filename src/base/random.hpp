// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace sharedsock::detail {

/// Fills the room with bytes that no other process can guess: of getrandom(2), or of /dev/urandom where a filter of system calls
/// denies that. The error names the call if neither can be had.
void fill_random(std::span<std::byte> room, error_code& ec) noexcept;

/// 64 random bits; one getrandom(2) serves several calls. An error: none can be had.
std::uint64_t random_number(error_code& ec) noexcept;

} // namespace sharedsock::detail
