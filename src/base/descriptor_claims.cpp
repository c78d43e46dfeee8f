// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/descriptor_claims.hpp"

#include <cstddef>
#include <new>

#include <sys/mman.h>

namespace sharedsock::detail {
namespace {

constexpr std::size_t block_size  = 1024;
constexpr std::size_t block_count = 1024; // a million numbers, the usual limit of the kernel; higher ones are not watched

struct block {
    std::atomic<std::uint32_t> claims[block_size]{}; // 0: no object claims the number
};

std::atomic<block*> blocks[block_count]; // made when first needed, and never freed: objects of the user may close late

std::atomic<std::uint32_t>* find(int number) noexcept
{
    const auto index = static_cast<std::size_t>(number);
    if (number < 0 || index >= block_size * block_count) return nullptr;
    block* const one = blocks[index / block_size].load(std::memory_order_acquire);
    return one != nullptr ? &one->claims[index % block_size] : nullptr;
}

void make_block(int number) noexcept
{
    const auto index = static_cast<std::size_t>(number);
    if (number < 0 || index >= block_size * block_count) return;
    // Not from the heap: a forked child comes here in the fork hook.
    void* const memory = ::mmap(nullptr, sizeof(block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    block* none = nullptr;
    if (!blocks[index / block_size].compare_exchange_strong(none, new (memory) block)) ::munmap(memory, sizeof(block));
}

std::uint32_t next_claim() noexcept
{
    static std::atomic<std::uint32_t> last{0};
    const std::uint32_t next = last.fetch_add(1, std::memory_order_relaxed) + 1;
    return next != 0 ? next : next_claim();
}

} // namespace

std::uint32_t descriptor_claims::take(int number) noexcept
{
    auto* place = find(number);
    if (place == nullptr) {
        make_block(number);
        place = find(number);
    }
    if (place == nullptr) return 0;
    const std::uint32_t claim = next_claim();
    place->store(claim, std::memory_order_release);
    return claim;
}

bool descriptor_claims::give_up(int number, std::uint32_t claim) noexcept
{
    auto* const place = claim != 0 ? find(number) : nullptr;
    return place == nullptr || place->compare_exchange_strong(claim, 0, std::memory_order_acq_rel);
}

bool descriptor_claims::stands(int number, std::uint32_t claim) noexcept
{
    const auto* const place = claim != 0 ? find(number) : nullptr;
    return place == nullptr || place->load(std::memory_order_acquire) == claim;
}

bool descriptor_claims::is_taken(int number) noexcept
{
    const auto* const place = find(number);
    return place != nullptr && place->load(std::memory_order_acquire) != 0;
}

} // namespace sharedsock::detail
