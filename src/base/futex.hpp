// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <chrono>
#include <cstdint>

/// futex(2) on 32 bits that processes share: one process sleeps until another has changed them. The other may die before it wakes
/// the sleeper, so every sleep has a limit.
namespace sharedsock::detail::futex {

/// Sleeps while the word is `seen`, until a process wakes its sleepers. False if `limit` passed before; signals do not prolong it.
bool sleep_while(const void* word, std::uint32_t seen, std::chrono::nanoseconds limit) noexcept;
void wake_one(const void* word) noexcept;
void wake_all(const void* word) noexcept;

} // namespace sharedsock::detail::futex
