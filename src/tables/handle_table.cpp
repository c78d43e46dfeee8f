// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "tables/handle_table.hpp"

#include "layout/index_span.hpp"

#include <atomic>
#include <cstdint>

namespace sharedsock::detail::handle_table {
namespace {
// `index` may be a record of `process` from now on.
void note(table_view& bytes, std::uint32_t process, std::uint32_t index) noexcept
{
    if (process_record* const record = bytes.process(process)) widen(record->handles, index);
}
} // namespace

claim_result claim(table_view& bytes, std::uint32_t process, std::uint32_t process_generation) noexcept
{
    using outcome = claim_result::outcome;
    // A failed exchange marks one more record as used, so this ends; and it starts over once if the hints were wrong.
    for (int attempt = 0; attempt < 2; ++attempt) {
        for (std::uint32_t steps = 0; steps <= bytes.capacity.handles; ++steps) {
            const std::uint32_t index = bytes.handle_map.find();
            if (index == no_index) break;
            handle_record* const record = bytes.handle(index);
            if (record == nullptr) return {outcome::needs_pages, {index, 0}};
            const handle_life before = load(*record);
            const handle_life mine{before.generation, process, handle_state::claimed};
            if (before.state != handle_state::free || !take(bytes, index, before, mine)) {
                bytes.handle_map.set_used(index);
                continue;
            }
            bytes.handle_map.set_used(index);
            record->socket.store(no_index);
            record->process_generation.store(process_generation);
            record->standby_order.store(0);
            record->standby_mask.store(0);
            record->nonce.store(0);
            record->descriptor.store(-1, std::memory_order_relaxed); // a process that still walks a list with it may read both
            record->target_pid.store(0, std::memory_order_relaxed);
            return {outcome::claimed, {index, before.generation}};
        }
        if (attempt == 0) rebuild_hints(bytes);
    }
    return {outcome::full, {}};
}

void free(table_view& bytes, record_id id) noexcept
{
    handle_record* const record = bytes.handle(id.index);
    if (record == nullptr) return;
    const handle_life before = load(*record);
    if (before.generation != id.generation || before.state != handle_state::claimed) return;
    std::uint64_t expected = before.encode();
    if (record->life.compare_exchange_strong(expected, handle_life{before.generation + 1, no_index, handle_state::free}.encode()))
        bytes.handle_map.set_free(id.index);
}

bool move(table_view& bytes, record_id id, handle_state from, handle_state to, std::uint32_t to_process) noexcept
{
    handle_record* const record = bytes.handle(id.index);
    if (record == nullptr) return false;
    const handle_life before = load(*record);
    return before.generation == id.generation && before.state == from &&
           take(bytes, id.index, before, {id.generation, to_process, to});
}

bool take(table_view& bytes, std::uint32_t index, const handle_life& from, const handle_life& to) noexcept
{
    if (to.process != from.process) note(bytes, to.process, index);
    std::uint64_t expected = from.encode();
    return bytes.handle(index)->life.compare_exchange_strong(expected, to.encode());
}

handle_record* find(const table_view& bytes, record_id id) noexcept
{
    handle_record* const record = bytes.handle(id.index);
    if (record == nullptr) return nullptr;
    const handle_life now = load(*record);
    return now.generation == id.generation && now.state != handle_state::free ? record : nullptr;
}

void rebuild_hints(table_view& bytes) noexcept
{
    const std::uint32_t backed = bytes.handles_backed();
    for (std::uint32_t index = 0; index < backed; ++index)
        if (load(*bytes.handle(index)).state == handle_state::free) bytes.handle_map.set_free(index);
    for (std::uint32_t index = backed; index < bytes.capacity.handles; ++index)
        bytes.handle_map.set_free(index);
}

void link(table_view& bytes, socket_slot& slot, std::uint32_t handle) noexcept
{
    handle_record* const record = bytes.handle(handle);
    if (record == nullptr || slot.first_handle.load() == handle + 1) return;
    widen(slot.handles, handle);
    record->next.store(slot.first_handle.load()); // before the head, or a walk would lose the rest
    slot.first_handle.store(handle + 1);
}

bool unlink(table_view& bytes, socket_slot& slot, std::uint32_t handle) noexcept
{
    atomic_u32* from = &slot.first_handle;
    for (std::uint32_t steps = 0; steps <= bytes.capacity.handles; ++steps) {
        const std::uint32_t next    = from->load();
        handle_record* const record = next == 0 ? nullptr : bytes.handle(next - 1);
        if (record == nullptr) return next == 0; // not in the list: another process relinked it, rightly without this handle
        if (next == handle + 1) {
            from->store(record->next.load());
            return true;
        }
        from = &record->next;
    }
    return false;
}

void relink(table_view& bytes, std::uint32_t socket) noexcept
{
    socket_slot* const slot = bytes.socket(socket);
    if (slot == nullptr) return;
    const slot_life life = load(*slot);
    if (life.state != slot_state::live) return; // the builder makes its list, and without the lock
    const std::uint32_t generation = life.generation;
    slot->first_handle.store(0);
    const index_span where = load_span(slot->handles).within(bytes.handles_backed());
    for (std::uint32_t index = where.first; index < where.end; ++index) {
        handle_record& record = *bytes.handle(index);
        if (record.socket.load() != socket || record.socket_generation.load() != generation || !in_list(load(record).state))
            continue;
        record.next.store(slot->first_handle.load());
        slot->first_handle.store(index + 1);
    }
}

} // namespace sharedsock::detail::handle_table
