// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace handoff {

/// SHA-256 (FIPS 180-4), to compare an upload with the result of `sha256sum` for the file.
class sha256 {
public:
    void add(std::span<const std::byte> bytes);
    std::string hex(); ///< of all bytes added; no byte may be added after it

private:
    void take_block(const std::byte* block);

    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::byte, 64> block_{}; // not full yet
    std::size_t in_block_ = 0;
    std::uint64_t count_  = 0;
};

} // namespace handoff
