// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// A stream of bytes whose every piece tells where it belongs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace test {

/// The byte at `position` of a stream that looks random: a piece of some length fits in one place only.
constexpr std::uint8_t stream_byte(std::uint64_t position) noexcept
{
    std::uint64_t word = position / 8 + 0x9e37'79b9'7f4a'7c15;
    word               = (word ^ (word >> 30)) * 0xbf58'476d'1ce4'e5b9;
    word               = (word ^ (word >> 27)) * 0x94d0'49bb'1331'11eb;
    word ^= word >> 31;
    return static_cast<std::uint8_t>(word >> (8 * (position % 8)));
}

/// The mark of a piece whose bytes are gone: enough to recognise it.
struct piece_mark {
    std::size_t size   = 0;
    std::uint64_t head = 0; ///< the first eight bytes, to see quickly that the piece stands elsewhere
    std::uint64_t hash = 0;
    friend bool operator==(const piece_mark&, const piece_mark&) = default;
};

inline constexpr std::uint64_t hash_start = 0xcbf2'9ce4'8422'2325;
constexpr std::uint64_t hash_step(std::uint64_t hash, std::uint8_t byte) noexcept { return (hash ^ byte) * 0x100'0000'01b3; }

inline piece_mark mark_of(std::span<const std::uint8_t> bytes) noexcept
{
    std::uint64_t hash = hash_start;
    for (const std::uint8_t byte : bytes)
        hash = hash_step(hash, byte);
    std::uint64_t head = 0;
    for (std::size_t i = 0; i < bytes.size() && i < 8; ++i)
        head |= std::uint64_t{bytes[i]} << (8 * i);
    return {bytes.size(), head, hash};
}

/// Whether the piece matches the stream at `position`.
inline bool stands_at(const piece_mark& piece, std::uint64_t position) noexcept
{
    for (std::size_t i = 0; i < piece.size && i < 8; ++i)
        if (stream_byte(position + i) != static_cast<std::uint8_t>(piece.head >> (8 * i))) return false;
    std::uint64_t hash = hash_start;
    for (std::size_t i = 0; i < piece.size; ++i)
        hash = hash_step(hash, stream_byte(position + i));
    return hash == piece.hash;
}

} // namespace test
