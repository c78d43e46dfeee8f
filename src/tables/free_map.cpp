// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "tables/free_map.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

namespace sharedsock::detail {
namespace {
constexpr std::uint64_t bit(std::uint32_t position) noexcept { return std::uint64_t{1} << (position % 64); }
} // namespace

std::uint32_t free_map::find() const noexcept
{
    const std::uint32_t words = (records_ + 63u) / 64u;
    for (std::uint32_t group = 0; group * 64u < words; ++group) {
        for (std::uint64_t open = ~full_[group].load(); open != 0; open &= open - 1) {
            const std::uint32_t word = group * 64u + static_cast<std::uint32_t>(std::countr_zero(open));
            if (word >= words) break;
            const std::uint64_t free = ~bits_[word].load();
            if (free == 0) continue;
            const std::uint32_t record = word * 64u + static_cast<std::uint32_t>(std::countr_zero(free));
            if (record < records_) return record;
        }
    }
    return no_index;
}

void free_map::set_used(std::uint32_t record) noexcept
{
    const std::uint32_t word = record / 64u;
    if ((bits_[word].fetch_or(bit(record)) | bit(record)) != ~std::uint64_t{0}) return;
    full_[word / 64u].fetch_or(bit(word));
    if (bits_[word].load() != ~std::uint64_t{0}) full_[word / 64u].fetch_and(~bit(word)); // a record was freed meanwhile
}

void free_map::set_free(std::uint32_t record) noexcept
{
    const std::uint32_t word = record / 64u;
    bits_[word].fetch_and(~bit(record));
    full_[word / 64u].fetch_and(~bit(word));
}

std::uint32_t free_map::used() const noexcept
{
    std::uint32_t count = 0;
    for (std::uint32_t word = 0; word * std::uint64_t{64} < records_; ++word)
        count += static_cast<std::uint32_t>(std::popcount(bits_[word].load(std::memory_order_relaxed)));
    return std::min(count, records_);
}

} // namespace sharedsock::detail
