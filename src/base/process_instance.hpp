// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <atomic>
#include <cstdint>

namespace sharedsock::detail {

// Behind `process_instance`.
using instance_number = std::atomic<std::uint64_t>;
inline std::atomic<const instance_number*> instance_page{nullptr}; // null until it is asked for
const instance_number& make_instance_page();                       ///< Throws std::bad_alloc. Idempotent.

/// A number that is not zero in this process, and another one or zero in any child: an object that stores it can tell whether it
/// is still in the process that stored it. One load from a page with MADV_WIPEONFORK. Zero: a child of a raw clone(2), which owns
/// nothing.
inline std::uint64_t process_instance() noexcept
{
    const instance_number* const number = instance_page.load(std::memory_order_acquire);
    return (number != nullptr ? *number : make_instance_page()).load(std::memory_order_relaxed);
}

/// In a child, while one thread runs: gives it a number of its own.
void begin_process_instance() noexcept;

} // namespace sharedsock::detail
