// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// Bytes for hand-overs: every process can make them from a seed, and tell them from those of another seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace test {

/// `count` bytes that depend on `seed`; another seed gives another byte at each place.
inline std::vector<std::byte> carry_pattern(std::uint64_t seed, std::size_t count)
{
    std::vector<std::byte> bytes(count);
    std::uint64_t state = seed * 0x9e37'79b9'7f4a'7c15 + 1;
    for (std::byte& one : bytes) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        one = static_cast<std::byte>(state);
    }
    return bytes;
}

/// FNV-1a, in digits.
inline std::string sum_of(std::span<const std::byte> bytes)
{
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    for (const std::byte one : bytes)
        hash = (hash ^ std::to_integer<std::uint64_t>(one)) * 0x100'0000'01b3;
    return std::to_string(hash);
}

/// The answer of a peer that has received this carry.
inline std::string carry_line(std::uint64_t seed, std::size_t count)
{
    return "tag=" + std::to_string(seed) + " count=" + std::to_string(count) + " sum=" + sum_of(carry_pattern(seed, count));
}

} // namespace test
