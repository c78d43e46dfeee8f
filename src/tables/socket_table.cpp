// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "tables/socket_table.hpp"

#include "tables/cookie_index.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

namespace sharedsock::detail::socket_table {
namespace {

// Begins a new use of a slot: resets all but the generation, the epoch and the lock. A process that is about to find out that the
// former socket is gone may still hold the lock.
void fill(socket_slot& slot, const socket_identity& about, std::uint64_t now_ns) noexcept
{
    slot.first_handle.store(0);
    slot.flags.store(about.flags);
    slot.terminal_error.store(0);
    slot.pending_error.store(0);
    slot.connect_state.store(0);
    slot.urgent.store(0);
    slot.peer_end.store(0);
    slot.own_end.store(0);
    slot.asked_use.store(0, std::memory_order_relaxed); // these are of one process until the slot is in use
    for (atomic_u64& word : slot.asked)
        word.store(0, std::memory_order_relaxed);
    slot.standby_count.store(0);
    slot.standby_counter.store(0);
    slot.cookie     = about.cookie;
    slot.family     = about.family;
    slot.type       = about.type;
    slot.protocol   = about.protocol;
    slot.created_ns = now_ns;
    slot.handles.store(0);
    slot.routing_requests.store(0);
    slot.address_requests.store(0);
    slot.holder_changes.store(0);
}

// The rest of giving the turn, once the word names `successor` as owner: notes its handle in `details`, and takes it out of the
// standby queue. False if it has left the queue since it was chosen, which needs no lock; then the events have no owner again.
// Dekker handshake: the handle that leaves marks that and then looks whether its turn has come, the process that gives the turn
// changes the word and then looks whether the handle has left; at least one of them sees the other.
bool complete_turn(table_view& bytes, socket_slot& slot, const registration_word& given, std::uint32_t successor) noexcept
{
    handle_record* const record = bytes.handle(successor);
    const std::uint32_t mask    = record != nullptr ? record->standby_mask.load() : left_line;
    if (record != nullptr) enter(slot, {given.epoch, mask >> standby_kind_shift, mask >> 6 & 0xf, successor});
    const bool left = record == nullptr || (record->standby_mask.load() & left_line) != 0;
    if (left) {
        change(slot.registration, [&](const registration_word& word) -> std::optional<registration_word> {
            if (!word.owned_by(given.owner, given.epoch)) return std::nullopt;
            return word.cancelled();
        });
    }
    if (record != nullptr) record->standby_order.store(0); // the new owner, or a handle that leaves, clears it too
    return !left;
}

} // namespace

void inherit_asked(socket_slot& accepted, const socket_slot& listener) noexcept
{
    if (const std::uint32_t use = listener.asked_use.load(); use != 0) accepted.asked_use.store(use);
    for (std::size_t i = 0; i < std::size(listener.asked); ++i)
        if (const std::uint64_t word = listener.asked[i].load(); word != 0) accepted.asked[i].store(word);
}

build_result build(table_view& bytes, record_id handle, std::uint32_t process, const socket_identity& about,
                   std::uint64_t now_ns) noexcept
{
    using outcome               = build_result::outcome;
    handle_record* const record = handle_table::find(bytes, handle);
    if (record == nullptr) return {outcome::full, {}};
    for (int attempt = 0; attempt < 2; ++attempt) {
        for (std::uint32_t steps = 0; steps <= bytes.capacity.sockets; ++steps) {
            const std::uint32_t index = bytes.socket_map.find();
            if (index == no_index) break;
            socket_slot* const slot = bytes.socket(index);
            if (slot == nullptr) return {outcome::needs_pages, {index, 0}};
            const slot_life before = load(*slot);
            record->socket_generation.store(before.generation);
            record->socket.store(index); // before the slot is taken: the sweep looks there
            std::uint64_t expected = before.encode();
            const slot_life mine{before.generation, process, slot_state::building};
            if (before.state != slot_state::free || !slot->life.compare_exchange_strong(expected, mine.encode())) {
                bytes.socket_map.set_used(index);
                continue;
            }
            bytes.socket_map.set_used(index);
            fill(*slot, about, now_ns);
            handle_table::link(bytes, *slot, handle.index);
            handle_table::move(bytes, handle, handle_state::claimed, handle_state::held, process);
            cookie_index::add(bytes, {index, before.generation}, about.cookie);
            slot->life.store(slot_life{before.generation, no_index, slot_state::live}.encode());
            return {outcome::built, {index, before.generation}};
        }
        if (attempt == 0) rebuild_hints(bytes);
    }
    return {outcome::full, {}};
}

socket_slot* find(const table_view& bytes, record_id id) noexcept
{
    socket_slot* const slot = bytes.socket(id.index);
    if (slot == nullptr) return nullptr;
    const slot_life now = load(*slot);
    return now.generation == id.generation && now.state == slot_state::live ? slot : nullptr;
}

bool join(table_view& bytes, record_id id, record_id handle, handle_state as, std::uint32_t process) noexcept
{
    socket_slot* const slot     = find(bytes, id);
    handle_record* const record = handle_table::find(bytes, handle);
    if (slot == nullptr || record == nullptr) return false;
    record->socket_generation.store(id.generation);
    record->socket.store(id.index);
    handle_table::link(bytes, *slot, handle.index);
    return handle_table::move(bytes, handle, handle_state::claimed, as,
                              process); // last: from here on `relink` keeps the record in the list
}

bool leave(table_view& bytes, record_id id, record_id handle, std::uint32_t process) noexcept
{
    handle_record* const record = handle_table::find(bytes, handle);
    if (record == nullptr) return false;
    socket_slot* const slot = find(bytes, id);
    record->standby_order.store(0);
    const handle_life now = load(*record);
    handle_table::move(bytes, handle, now.state, handle_state::claimed,
                       process); // first: from here on `relink` leaves the record out of the list
    if (slot == nullptr) return false;
    if (!handle_table::unlink(bytes, *slot, handle.index)) handle_table::relink(bytes, id.index);
    return free_if_unheld(bytes, id.index);
}

bool free_if_unheld(table_view& bytes, std::uint32_t index) noexcept
{
    socket_slot* const slot = bytes.socket(index);
    if (slot == nullptr || slot->first_handle.load() != 0) return false;
    const slot_life now = load(*slot);
    if (now.state != slot_state::live) return false;
    change(slot->registration, [](registration_word word) -> std::optional<registration_word> {
        word            = word.cancelled();
        word.delivering = no_index; // no process has a descriptor any more
        return word;
    });
    slot->standby_count.store(0);
    const std::uint64_t cookie = slot->cookie;
    std::uint64_t expected     = now.encode();
    std::uint32_t next         = now.generation + 1;
    if (!slot->life.compare_exchange_strong(expected, slot_life{next, no_index, slot_state::free}.encode())) return false;
    cookie_index::remove(bytes, {index, now.generation}, cookie);
    bytes.socket_map.set_free(index);
    return true;
}

void repair(table_view& bytes, std::uint32_t index) noexcept
{
    handle_table::relink(bytes, index);
    free_if_unheld(bytes, index);
    socket_slot* const slot = bytes.socket(index);
    if (slot == nullptr) return;
    const registration_word word = load(slot->registration);
    if (!word.owned() || !word.by_turn) return;
    const registration_details details = details_of(*slot);
    complete_turn(bytes, *slot, word, details.epoch == word.epoch ? details.handle : first_in_line(bytes, index, word.owner));
}

std::uint32_t first_in_line(const table_view& bytes, std::uint32_t socket, std::uint32_t process) noexcept
{
    std::uint32_t first  = no_index;
    std::uint64_t lowest = ~std::uint64_t{0};
    handle_table::for_each(bytes, socket, [&](std::uint32_t index, handle_record& record) {
        const std::uint64_t order = record.standby_order.load();
        const handle_life life    = load(record);
        if (order != 0 && order < lowest && life.state == handle_state::held && (process == no_index || life.process == process)) {
            lowest = order;
            first  = index;
        }
        return true;
    });
    return first;
}

void join_line(table_view& bytes, socket_slot& slot, std::uint32_t handle, std::uint32_t mask) noexcept
{
    handle_record* const record = bytes.handle(handle);
    if (record == nullptr) return;
    record->standby_mask.store(mask & ~left_line);
    slot.standby_count.store(1);
    record->standby_order.store(slot.standby_counter.fetch_add(1) + 1); // last: from here on it may be chosen
}

void leave_line(table_view& bytes, std::uint32_t handle) noexcept
{
    handle_record* const record = bytes.handle(handle);
    if (record == nullptr) return;
    record->standby_order.store(0); // first: so that no other process chooses it again and again while this one is stopped here
    record->standby_mask.fetch_or(left_line);
}

void take_turn(table_view& bytes, std::uint32_t handle) noexcept
{
    if (handle_record* const record = bytes.handle(handle)) record->standby_order.store(0);
}

std::uint32_t succeed(table_view& bytes, std::uint32_t socket) noexcept
{
    socket_slot* const slot = bytes.socket(socket);
    if (slot == nullptr || slot->standby_count.load() == 0) return no_index;
    const std::uint32_t next = first_in_line(bytes, socket);
    if (next == no_index) {
        slot->standby_count.store(0);
        return no_index;
    }
    return give_turn(bytes, *slot, next);
}

std::uint32_t give_turn(table_view& bytes, socket_slot& slot, std::uint32_t successor) noexcept
{
    const handle_record& record = *bytes.handle(successor);
    const std::uint32_t process = load(record).process;
    const std::uint32_t mask    = record.standby_mask.load();
    const auto done             = change(slot.registration, [&](const registration_word& word) -> std::optional<registration_word> {
        if (word.owned()) return std::nullopt;
        return word.turn_given(process, mask);
    });
    return done && complete_turn(bytes, slot, done->second, successor) ? process : no_index;
}

bool awaits_successor(const table_view& bytes, std::uint32_t socket) noexcept
{
    const socket_slot* const slot = bytes.socket(socket);
    return slot != nullptr && slot->standby_count.load() != 0 && !load(slot->registration).owned();
}

std::uint32_t pass_on(table_view& bytes, std::uint32_t socket, std::uint32_t process, std::uint32_t epoch,
                      std::uint32_t handle) noexcept
{
    socket_slot* const slot = bytes.socket(socket);
    if (slot == nullptr) return no_index;
    const std::uint32_t next = first_in_line(bytes, socket);
    if (next == no_index || next == handle) return no_index;
    const handle_record& record    = *bytes.handle(next);
    const std::uint32_t successor  = load(record).process;
    const std::uint32_t mask       = record.standby_mask.load();
    const registration_details own = details_of(*slot);
    const auto done = change(slot->registration, [&](const registration_word& word) -> std::optional<registration_word> {
        if (!word.owned_by(process, epoch)) return std::nullopt;
        return word.turn_given(successor, mask);
    });
    if (!done) return no_index;
    complete_turn(bytes, *slot, done->second, next); // if it has left, the lock holder finds the next one
    join_line(bytes, *slot, handle,
              done->first.mask | own.high_mask << 6 | own.kind << standby_kind_shift); // with the mask that it had
    return successor;
}

void rebuild_hints(table_view& bytes) noexcept
{
    const std::uint32_t backed = bytes.sockets_backed();
    for (std::uint32_t index = 0; index < backed; ++index)
        if (load(*bytes.socket(index)).state == slot_state::free) bytes.socket_map.set_free(index);
    for (std::uint32_t index = backed; index < bytes.capacity.sockets; ++index)
        bytes.socket_map.set_free(index);
}

} // namespace sharedsock::detail::socket_table
