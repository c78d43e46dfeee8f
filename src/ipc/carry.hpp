// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/hand_over.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sharedsock::detail {

/// How many bytes of a carry go in the message itself. A longer carry goes in sealed memory that is sent along: a mailbox holds a
/// few hundred kilobytes of each sender, and the receiver's peek copies the bytes that are in a message.
inline constexpr std::size_t carry_in_message = std::size_t{16} * 1024;

/// Follows the message of a hand-over; after it come the carry's bytes, unless they are in memory.
struct carry_label {
    std::uint64_t tag        = 0; ///< the application's
    std::uint64_t size_bytes = 0; ///< checked against the bytes that are there
    std::uint32_t in_memory  = 0; ///< 1: in the second descriptor, a sealed memfd of exactly that size
    std::uint32_t reserved   = 0;
};
static_assert(sizeof(carry_label) == 24);

/// A carry on its way out. `in_message` is the caller's memory.
struct packed_carry {
    carry_label label;
    std::span<const std::byte> in_message;
    unique_fd memory;
};

/// A carry that has arrived.
struct delivered_carry {
    carry_label label;
    std::vector<std::byte> in_message;
    unique_fd memory;
};

/// Packs the carry of a hand-over. `errc::carry_too_large`, `errc::file_size_limited`, or an error of memfd_create(2) or pwrite(2).
packed_carry pack(const carry& with, error_code& ec) noexcept;

/// The bytes, exactly as they were packed. `errc::bad_hand_over`: the descriptor is not sealed memory, or has another
/// size; reading it would hang, kill or lie. Any other error is a local failure, and `from` is unchanged. Throws std::bad_alloc.
std::vector<std::byte> unpack(delivered_carry& from, error_code& ec);

} // namespace sharedsock::detail
