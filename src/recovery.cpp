// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "recovery.hpp"

#include "membership.hpp"
#include "process_table.hpp"

namespace sharedsock::detail {
namespace {

// A slot that the dead was building is nobody's now.
void abandon_building(tables& bytes, std::uint32_t socket, std::uint32_t dead) noexcept
{
    socket_slot& slot = *bytes.socket(socket);
    const slot_life life = load(slot);
    if (life.state != slot_state::building || life.process != dead) return;
    slot.first_handle.store(0);
    std::uint64_t expected = life.encode();
    if (slot.life.compare_exchange_strong(expected, slot_life{life.generation + 1, no_index, slot_state::free}.encode()))
        bytes.socket_map.set_free(socket);
}

// The dead owns and delivers nothing. What it may have left half done is armed again, and everybody looks: it may have changed
// the word and not yet rung, so all who hold the socket are rung, whatever the word says.
void release_registration(membership& self, std::uint32_t socket, std::uint32_t dead) noexcept
{
    socket_slot& slot = *self.bytes().socket(socket);
    change(slot.registration, [&](const registration_word& word) { return std::optional(word.swept(dead)); });
    self.ring_holders(socket);
}

// A ticket that was offered to an index after its tenant had been swept: nobody else would ever end it.
bool offered_to_nobody(const tables& bytes, const handle_record& record, const handle_life& life) noexcept
{
    return life.state == handle_state::offered && !process_table::is_tenant(bytes, life.process, record.process_generation.load());
}

bool sweep_handle(membership& self, std::uint32_t index, std::uint32_t dead) noexcept
{
    tables& bytes = self.bytes();
    handle_record& record = *bytes.handle(index);
    const handle_life life = load(record);
    const record_id handle{index, life.generation};
    const record_id socket{record.socket.load(), record.socket_generation.load()};
    if (bytes.socket(socket.index) != nullptr) {
        error_code ec;
        const membership::slot_guard guard(self, socket.index, ec); // takes over a lock that names the dead, and repairs
        if (!guard) return false;
        abandon_building(bytes, socket.index, dead);
        if (socket_table::find(bytes, socket) != nullptr) {
            release_registration(self, socket.index, dead);
            socket_table::leave(bytes, socket, handle, life.process);
        }
    }
    if (load(record).state != handle_state::claimed) handle_table::move(bytes, handle, life.state, handle_state::claimed, life.process);
    handle_table::free(bytes, handle);
    return true;
}

} // namespace

bool sweep(membership& self, std::uint32_t dead) noexcept
{
    tables& bytes = self.bytes();
    bool complete = true;
    const std::uint32_t backed = bytes.handles_backed();
    for (std::uint32_t index = 0; index < backed; ++index) {
        const handle_record& record = *bytes.handle(index);
        const handle_life life = load(record);
        if (life.state == handle_state::free) continue;
        // Under an index that was given to a new tenant, what carries the tenant's own generation is not the dead's. (The
        // sweeper attaches under the index of the dead: then nothing carries its generation yet.)
        if (life.process == dead || offered_to_nobody(bytes, record, life)) complete = sweep_handle(self, index, dead) && complete;
    }
    if (lease_lock::names(bytes.header->names_lock, dead)) {
        lease_lock lock = self.name_lock();
        error_code ec;
        lock.lock(ec);
        if (ec)
            complete = false;
        else
            lock.unlock(); // the name table needs no repair: a name is a whole record or none
    }
    if (complete) bytes.header->sweeps.fetch_add(1);
    return complete;
}

} // namespace sharedsock::detail
