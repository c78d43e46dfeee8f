// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "member/recovery.hpp"

#include "layout/index_span.hpp"
#include "member/membership.hpp"
#include "member/told_processes.hpp"
#include "tables/process_table.hpp"

#include <optional>

namespace sharedsock::detail {
namespace {

// Frees a slot that the dead process was building.
void abandon_building(table_view& bytes, std::uint32_t socket, std::uint32_t dead) noexcept
{
    socket_slot& slot    = *bytes.socket(socket);
    const slot_life life = load(slot);
    if (life.state != slot_state::building || life.process != dead) return;
    slot.first_handle.store(0);
    std::uint64_t expected = life.encode();
    if (slot.life.compare_exchange_strong(expected, slot_life{life.generation + 1, no_index, slot_state::free}.encode()))
        bytes.socket_map.set_free(socket);
}

// Ends ownership and delivery of the dead process. Arms again the events that it may have left half done. It may have changed the
// word and not yet rung, so all holders of the socket are rung, whatever the word says.
void release_registration(membership& self, std::uint32_t socket, std::uint32_t dead, told_processes& told) noexcept
{
    socket_slot& slot = *self.bytes().socket(socket);
    change(slot.registration, [&](const registration_word& word) { return std::optional(word.swept(dead)); });
    told.ring_holders(self, socket, dead);
    told.next_socket();
}

// Whether a ticket was offered to an index after its incarnation had been swept: no other process would ever end it.
bool offered_to_nobody(const table_view& bytes, const handle_record& record, const handle_life& life) noexcept
{
    return life.state == handle_state::offered &&
           !process_table::is_incarnation(bytes, life.process, record.process_generation.load());
}

// Ends the use of the record that `life` was seen as. If the record has another use by now (a ticket redeemed or withdrawn in this
// moment, and perhaps used again since), this sweep must not end it: the exchange of exactly that word decides.
bool sweep_handle(membership& self, std::uint32_t index, handle_life life, std::uint32_t dead, told_processes& told) noexcept
{
    table_view& bytes     = self.bytes();
    handle_record& record = *bytes.handle(index);
    const record_id handle{index, life.generation};
    const record_id socket{record.socket.load(), record.socket_generation.load()};
    const auto take = [&] { // into the sweeper's name: if it dies before the end, the sweep of its index finds the record
        return handle_table::take(bytes, index, life, {life.generation, self.self().index, handle_state::claimed});
    };
    if (bytes.socket(socket.index) == nullptr) {
        if (!take()) return true;
    } else {
        error_code ec;
        const membership::slot_guard guard(self, socket.index, ec); // takes over a lock that names the dead process, and repairs
        const bool live = socket_table::find(bytes, socket) != nullptr;
        if (live) release_registration(self, socket.index, dead, told); // needs no lock: a stopped holder keeps no events back
        if (!guard) return false;
        abandon_building(bytes, socket.index, dead);
        if (self.return_locked_ticket(index, life)) return true; // its process may have executed another program
        for (;;) {
            if (self.pass_on_giving(index, life)) return true; // its target may still take it
            if (take()) break;                                 // after the release, to which the record led this sweep
            const handle_life now = load(record);
            // Its target may have declined it just now. If it did not change, damage keeps every exchange from it.
            if (now == life || now.generation != handle.generation || now.process != dead) return true;
            life = now;
        }
        if (live) socket_table::leave(bytes, socket, handle, self.self().index);
    }
    handle_table::free(bytes, handle);
    return true;
}

// The dead process may have held a lock and no handle of that socket: it was withdrawing a ticket.
bool sweep_slot_lock(membership& self, std::uint32_t socket, std::uint32_t dead) noexcept
{
    if (!robust_lock::names(self.bytes().socket(socket)->lock, dead)) return true;
    error_code ec;
    const membership::slot_guard guard(self, socket, ec);
    return static_cast<bool>(guard);
}

// The locks of the name table and of adopting. Their bytes need no repair: a name is a whole record or none.
bool sweep_header_lock(const atomic_u32& word, robust_lock&& lock, std::uint32_t dead) noexcept
{
    if (!robust_lock::names(word, dead)) return true;
    error_code ec;
    lock.lock(ec);
    if (ec) return false;
    lock.unlock();
    return true;
}

} // namespace

bool sweep(membership& self, std::uint32_t dead) noexcept
{
    table_view& bytes      = self.bytes();
    process_record& record = *bytes.process(dead);
    bool complete          = true;
    told_processes told;
    // A ticket may be offered to that index during this sweep: it widens the span again, for the index's next sweep.
    process_table::begin_sweep(record);
    const index_span handles = load_span(record.handles_in_sweep).within(bytes.handles_backed());
    for (std::uint32_t index = handles.first; index < handles.end; ++index) {
        const handle_record& one = *bytes.handle(index);
        const handle_life life   = load(one);
        if (life.state == handle_state::free) continue;
        // A process that attaches sweeps its own index before it has any record: the index alone tells.
        if (life.process == dead || offered_to_nobody(bytes, one, life))
            complete = sweep_handle(self, index, life, dead, told) && complete;
    }
    const index_span locked = load_span(record.locked_sockets).within(bytes.sockets_backed());
    for (std::uint32_t socket = locked.first; socket < locked.end; ++socket)
        complete = sweep_slot_lock(self, socket, dead) && complete;
    complete = sweep_header_lock(bytes.header->names_lock, self.name_lock(), dead) && complete;
    complete = sweep_header_lock(bytes.header->adoption_lock, self.adoption_lock(), dead) && complete;
    if (!complete) return false;
    record.handles_in_sweep.store(0);
    record.locked_sockets.store(0);
    bytes.header->sweeps.fetch_add(1);
    return true;
}

} // namespace sharedsock::detail
