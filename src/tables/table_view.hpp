// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"
#include "layout/life_word.hpp"
#include "tables/free_map.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sharedsock::detail {

/// How many records of a table have pages. The segment's count only grows, so a count once seen stays true: a damaged count
/// takes no pages away that this process uses (G10).
class backed_count {
public:
    backed_count() = default;
    backed_count(const backed_count& other) noexcept : seen_(other.seen_.load(std::memory_order_relaxed)) {}
    backed_count& operator=(const backed_count& other) noexcept
    {
        seen_.store(other.seen_.load(std::memory_order_relaxed), std::memory_order_relaxed);
        return *this;
    }

    std::uint32_t see(std::uint32_t now) const noexcept
    {
        std::uint32_t seen = seen_.load(std::memory_order_relaxed);
        while (seen < now && !seen_.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
        }
        return std::max(seen, now);
    }

private:
    mutable std::atomic<std::uint32_t> seen_{0};
};

/// A view of a segment's bytes. Every index that comes from the segment goes through these functions, which use only the bounds
/// that this process keeps for itself: a record out of range is a null pointer, never an access outside.
struct table_view {
    table_view() = default;
    table_view(std::byte* base, const segment_plan& plan) noexcept
        : header(reinterpret_cast<segment_header*>(base)),
          capacity(plan.capacity),
          handle_map(reinterpret_cast<atomic_u64*>(base + plan.handle_map_offset), plan.capacity.handles),
          socket_map(reinterpret_cast<atomic_u64*>(base + plan.socket_map_offset), plan.capacity.sockets),
          processes(reinterpret_cast<process_record*>(base + page)),
          names(reinterpret_cast<name_record*>(base + plan.names_offset)),
          handles(reinterpret_cast<handle_record*>(base + plan.handles_offset)),
          sockets(reinterpret_cast<socket_slot*>(base + plan.sockets_offset))
    {}

    std::uint32_t handles_backed() const noexcept
    {
        return handles_seen_.see(std::min(header->handles_backed.load(), capacity.handles));
    }
    std::uint32_t sockets_backed() const noexcept
    {
        return sockets_seen_.see(std::min(header->sockets_backed.load(), capacity.sockets));
    }

    process_record* process(std::uint32_t index) const noexcept { return index < capacity.processes ? processes + index : nullptr; }
    handle_record* handle(std::uint32_t index) const noexcept { return index < handles_backed() ? handles + index : nullptr; }
    socket_slot* socket(std::uint32_t index) const noexcept { return index < sockets_backed() ? sockets + index : nullptr; }

    segment_header* header = nullptr;
    capacities capacity{};
    free_map handle_map;
    free_map socket_map;
    process_record* processes = nullptr;
    name_record* names        = nullptr;

private:
    handle_record* handles = nullptr; // only through `handle` and `socket`: there may be no memory beyond the backed records
    socket_slot* sockets   = nullptr;
    backed_count handles_seen_;
    backed_count sockets_seen_;
};

inline handle_life load(const handle_record& record) noexcept { return handle_life::decode(record.life.load()); }
inline slot_life load(const socket_slot& slot) noexcept { return slot_life::decode(slot.life.load()); }
inline process_life load(const process_record& record) noexcept { return process_life::decode(record.life.load()); }

} // namespace sharedsock::detail
