// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "tables/cookie_index.hpp"

#include <bit>
#include <cstdint>

namespace sharedsock::detail::cookie_index {
namespace {

std::uint64_t entry_of(record_id socket) noexcept { return record_id{socket.index + 1, socket.generation}.as_number(); }
record_id socket_of(std::uint64_t entry) noexcept
{
    return {static_cast<std::uint32_t>(entry) - 1, static_cast<std::uint32_t>(entry >> 32)};
}

// The kernel counts cookies up, each processor in a range of its own. Parts of the table use the low bits of the result: with one
// multiplication alone, numbers in a row fill some places and leave others empty (measured).
std::uint32_t spread(std::uint64_t cookie) noexcept
{
    cookie = (cookie ^ cookie >> 33) * 0xff51'afd7'ed55'8ccd;
    cookie = (cookie ^ cookie >> 33) * 0xc4ce'b9fe'1a85'ec53;
    return static_cast<std::uint32_t>(cookie ^ cookie >> 33);
}

// Whether the use of the slot that the entry names has ended.
bool stale(const table_view& bytes, std::uint64_t entry) noexcept
{
    const record_id named         = socket_of(entry);
    const socket_slot* const slot = bytes.socket(named.index);
    return slot == nullptr || load(*slot).generation != named.generation || load(*slot).state == slot_state::free;
}

bool is_of(const table_view& bytes, record_id socket, std::uint64_t cookie) noexcept
{
    const socket_slot* const slot = bytes.socket(socket.index);
    if (slot == nullptr) return false;
    const slot_life life = load(*slot);
    return life.state == slot_state::live && life.generation == socket.generation && slot->cookie == cookie;
}

// Calls `visit` with the places where an entry for `cookie` may be, the likeliest first, until it returns true.
template <class Visit>
bool visit_slots(const table_view& bytes, std::uint64_t cookie, Visit visit) noexcept
{
    const auto hash            = spread(cookie);
    const std::uint32_t backed = bytes.sockets_backed();
    for (std::uint32_t size = std::bit_floor(backed) / 2; size != 0; size /= 2) {
        socket_slot* const slot = bytes.socket(size + (hash & (size - 1)));
        if (slot != nullptr && visit(slot->cookies)) return true;
    }
    socket_slot* const slot = bytes.socket(0);
    return slot != nullptr && visit(slot->cookies);
}

record_id find_in_all(const table_view& bytes, std::uint64_t cookie) noexcept
{
    const std::uint32_t backed = bytes.sockets_backed();
    for (std::uint32_t index = 0; index < backed; ++index) {
        const record_id one{index, load(*bytes.socket(index)).generation};
        if (is_of(bytes, one, cookie)) return one;
    }
    return {};
}

} // namespace

void add(table_view& bytes, record_id socket, std::uint64_t cookie) noexcept
{
    const std::uint64_t mine = entry_of(socket);
    const bool added         = visit_slots(bytes, cookie, [&](atomic_u64(&places)[cookies_per_slot]) {
        for (atomic_u64& place : places) {
            std::uint64_t none = 0;
            if (place.load() == 0 && place.compare_exchange_strong(none, mine)) return true;
        }
        for (atomic_u64& place : places) { // exactly the entry that was seen as stale, or another process's new one would go
            std::uint64_t seen = place.load();
            if (stale(bytes, seen) && place.compare_exchange_strong(seen, mine)) return true;
        }
        return false;
    });
    if (!added) bytes.header->cookies_missing.store(1);
}

void remove(table_view& bytes, record_id socket, std::uint64_t cookie) noexcept
{
    const std::uint64_t mine = entry_of(socket);
    visit_slots(bytes, cookie, [&](atomic_u64(&places)[cookies_per_slot]) {
        for (atomic_u64& place : places) {
            std::uint64_t seen = place.load();
            if (seen == mine) return place.compare_exchange_strong(seen, 0);
        }
        return false;
    });
}

record_id find(const table_view& bytes, std::uint64_t cookie) noexcept
{
    record_id found;
    visit_slots(bytes, cookie, [&](const atomic_u64(&places)[cookies_per_slot]) {
        for (const atomic_u64& place : places) {
            const std::uint64_t entry = place.load();
            if (entry == 0 || !is_of(bytes, socket_of(entry), cookie)) continue;
            found = socket_of(entry);
            return true;
        }
        return false;
    });
    return found || bytes.header->cookies_missing.load() == 0 ? found : find_in_all(bytes, cookie);
}

} // namespace sharedsock::detail::cookie_index
