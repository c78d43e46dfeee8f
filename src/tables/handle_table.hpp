// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/table_view.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// A record, and which use of it: an index from the segment or a ticket is worth nothing without its generation.
struct record_id {
    std::uint32_t index      = no_index;
    std::uint32_t generation = 0;

    explicit operator bool() const noexcept { return index != no_index; }
    constexpr std::uint64_t as_number() const noexcept { return std::uint64_t{generation} << 32 | index; }
    friend bool operator==(const record_id&, const record_id&) = default;
};

/// Which process holds which socket. Taking and freeing a record is one compare-and-swap on its `life` word; the list that
/// joins the handles of one socket is guarded by that socket's lock.
///
/// The life of a record:   free -> claimed -> held -> claimed -> free          an open handle
///                         free -> claimed -> offered -> held | free           a ticket
///                         free -> claimed -> kept -> held | free              a ticket for a process not yet attached
///                         free -> claimed -> handing -> offered -> held | free    a hand-over; the target may take it, or the
///                                            handing -> held | free               sender die, before it is offered
///                         free -> claimed -> handing -> giving -> held            an acknowledged hand-over: the target takes it,
///                                            handing | giving -> returned -> claimed -> free  declines it, or the sender takes it
///                                            giving -> offered -> held | free                   back; or the sender dies
namespace handle_table {

/// The result of `claim`. `needs_pages`: the record at `index` has no memory yet; back it and call again.
struct claim_result {
    enum class outcome : std::uint8_t { claimed, needs_pages, full } what;
    record_id id;
};
/// Takes a free record for `process`, in state claimed, with no socket.
claim_result claim(table_view& bytes, std::uint32_t process, std::uint32_t process_generation) noexcept;

/// Frees a record that `process` has in state claimed. Idempotent.
void free(table_view& bytes, record_id id) noexcept;

/// Moves a record from one state to another, possibly to another process, if it is still the same use of it.
bool move(table_view& bytes, record_id id, handle_state from, handle_state to, std::uint32_t to_process) noexcept;

/// Replaces exactly the word that the caller has seen, or changes nothing. Every change of a record's process goes through this
/// function.
bool take(table_view& bytes, std::uint32_t index, const handle_life& from, const handle_life& to) noexcept;

/// The record, if `id` is its current use and it is not free.
handle_record* find(const table_view& bytes, record_id id) noexcept;

/// Makes the free hints true again, after many deaths. Looks at every record that has memory.
void rebuild_hints(table_view& bytes) noexcept;

// The list of a socket's handles. The caller holds the socket's lock.

/// Puts a record at the head of the list of its socket. Harmless to repeat.
void link(table_view& bytes, socket_slot& slot, std::uint32_t handle) noexcept;
/// Takes a record out of that list. False if the list is broken: then `relink` it.
bool unlink(table_view& bytes, socket_slot& slot, std::uint32_t handle) noexcept;
/// Makes the list anew from the records themselves, after a dead lock holder may have left it half changed. Idempotent.
void relink(table_view& bytes, std::uint32_t socket) noexcept;

/// Calls `visit(index, record)` for each handle of the socket until it returns false. False if the list is broken. A
/// caller without the lock gets an approximate answer, for every step is checked and their number is bounded; with the lock it is
/// exact.
template <class Visit>
bool for_each(const table_view& bytes, std::uint32_t socket, Visit visit)
{
    const socket_slot* const slot = bytes.socket(socket);
    if (slot == nullptr) return false;
    std::uint32_t next = slot->first_handle.load();
    for (std::uint32_t steps = 0; next != 0; ++steps) {
        handle_record* const record = bytes.handle(next - 1);
        if (record == nullptr || record->socket.load() != socket || steps > bytes.capacity.handles) return false;
        const std::uint32_t after = record->next.load();
        if (!visit(next - 1, *record)) return true;
        next = after;
    }
    return true;
}

} // namespace handle_table
} // namespace sharedsock::detail
