// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>

namespace sharedsock {
struct segment_options;
}

namespace sharedsock::detail {

/// Computes where each table will lie in a new segment; `errc::bad_capacity` if the options ask for nothing or too much.
segment_plan plan_segment(const segment_options& options, error_code& ec) noexcept;

/// `errc::segment_too_small` if the options want a full capacity, and a segment of these capacities has less.
void check_capacity(const capacities& has, const segment_options& options, error_code& ec) noexcept;

/// Fills in the header of a new segment, which must be zero. An error: no random number can be had for its uuid.
void describe_segment(segment_header& header, const segment_plan& plan, bool unnamed, error_code& ec) noexcept;

/// Checks a copied header against this build: the pure part of opening. `file_size` comes from fstat(2); if the file is
/// shorter than a header, the rest of the copy must be zero.
error_code check_header(const segment_header& header, std::uint64_t file_size, const std::uint8_t (&boot_id)[16]) noexcept;

/// The bytes of /proc/sys/kernel/random/boot_id; zero where it cannot be read, which is no reason to call a segment stale.
void read_boot_id(std::uint8_t (&id)[16]) noexcept;

} // namespace sharedsock::detail
