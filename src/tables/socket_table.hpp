// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/stored_error.hpp"
#include "layout/registration_word.hpp"
#include "tables/handle_table.hpp"
#include "tables/table_view.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// Bits of `socket_slot::flags`: the state that all handles share and the kernel does not know.
enum slot_flag : std::uint32_t {
    flag_blocking     = 1u << 0, ///< the common blocking mode (STATE-3); the descriptors are always non-blocking
    flag_listening    = 1u << 1,
    flag_shut_send    = 1u << 2, ///< a local shutdown(SHUT_WR) (EVT-22)
    flag_shut_receive = 1u << 3, ///< a local shutdown(SHUT_RD)
    flag_peer_ended   = 1u << 4, ///< the peer's end was seen; CLOSE may wait for the data before it (EVT-19)
    flag_linger       = 1u << 5, ///< SO_LINGER with a time was set through a handle (ERR-4)
    flag_copied       = 1u << 6, ///< a copy may lie in a mailbox, of a hand-over that came back: closing it here does not end it
    flag_urgent       = 1u << 7, ///< a process uses urgent data: receives keep it (EVT-14)
    flag_lent         = 1u << 8, ///< adopted, and found blocking: O_NONBLOCK is set within a call only (STATE-15)
};

/// `socket_slot::connect_state`: the one attempt at a time of all handles (STATE-5), and whether CONNECT has told its result
/// (EVT-16).
///
///     phase:8 | errno:8 in the low bytes
enum class connect_phase : std::uint32_t {
    none        = 0, ///< never tried, or the socket came from accept
    in_progress = 1, ///< connect(2) said EINPROGRESS
    connected   = 2, ///< known; CONNECT has not told it yet
    failed      = 3, ///< known; CONNECT has not told it yet
    told        = 4, ///< CONNECT has told of the connection
    told_failed = 5, ///< CONNECT has told of the failure: nothing can happen before the next attempt (EVT-17)
};
struct connect_word {
    connect_phase phase = connect_phase::none;
    int error           = 0;
    static constexpr connect_word decode(std::uint32_t bits) noexcept
    {
        const auto phase = static_cast<connect_phase>(bits & 0xff);
        const int error  = errno_in(bits >> 8 & 0xff);
        const bool fails = phase == connect_phase::failed || phase == connect_phase::told_failed;
        return {phase, fails && error == 0 ? damaged_errno : error}; // a failed attempt has an error
    }
    constexpr std::uint32_t encode() const noexcept
    {
        return static_cast<std::uint32_t>(phase) | static_cast<std::uint32_t>(error & 0xff) << 8;
    }
};

/// `handle_record::standby_mask` is the mask of ten bits, and above it the kind of registration (registration_details).
inline constexpr unsigned standby_kind_shift = 16;
/// A further bit of `handle_record::standby_mask`: the handle is outside the standby queue and accepts in turn (`accept_line`). A
/// hint for the other acceptors.
inline constexpr std::uint32_t accepts_in_turn = 1u << 31;
/// A further bit of `handle_record::standby_mask`: the handle has left the standby queue. For a process that chose the handle
/// before that, and gives it the turn afterwards.
inline constexpr std::uint32_t left_line = 1u << 30;

/// The properties of a new slot's socket.
struct socket_identity {
    std::uint64_t cookie = 0;
    int family           = 0;
    int type             = 0;
    int protocol         = 0;
    std::uint32_t flags  = 0;
};

/// The slots. A slot lives from its first handle to its last (G6). Its lock guards its life and its list of handles, and nothing of
/// the events.
namespace socket_table {

struct build_result {
    enum class outcome : std::uint8_t { built, needs_pages, full } what;
    record_id id;
};
/// Takes a free slot for the socket `about`, with `handle` (claimed by `process`) as its one handle, and publishes both: the
/// slot live, the handle held. If the process dies at any point, the sweep of `process` frees all of it.
build_result build(table_view& bytes, record_id handle, std::uint32_t process, const socket_identity& about,
                   std::uint64_t now_ns) noexcept;

/// An accepted socket has the settings that Winsock programs have made for its listener. Costs a native program no store.
void inherit_asked(socket_slot& accepted, const socket_slot& listener) noexcept;

/// The slot, if `id` is its current use and it is live.
socket_slot* find(const table_view& bytes, record_id id) noexcept;

/// Makes `handle` (claimed) one of the handles of live slot `id`, in state `as` and of `process`. The caller holds the lock.
/// False if the slot is not that socket any more.
bool join(table_view& bytes, record_id id, record_id handle, handle_state as, std::uint32_t process) noexcept;

/// Takes `handle` out of slot `id` and back to claimed; frees the slot if it was the last. The caller holds the lock, unlocks,
/// and then frees the handle: while the lock is held the handle names the slot, so that a sweep finds the lock.
/// True if the slot was freed.
bool leave(table_view& bytes, record_id id, record_id handle, std::uint32_t process) noexcept;

/// Frees a live slot if it has no handle left. The caller holds the lock.
bool free_if_unheld(table_view& bytes, std::uint32_t index) noexcept;

/// Makes the slot and its list consistent again, which a dead lock holder may have left half changed. The caller holds the lock.
void repair(table_view& bytes, std::uint32_t index) noexcept;

// The standby queue: handles that stand by for the registration. The caller holds the slot's lock.

/// The first handle in the queue, or the first one of `process` if that is not no_index; no_index if no handle stands by.
std::uint32_t first_in_line(const table_view& bytes, std::uint32_t socket, std::uint32_t process = no_index) noexcept;
/// Gives `handle` the last place in the queue, for `mask`.
void join_line(table_view& bytes, socket_slot& slot, std::uint32_t handle, std::uint32_t mask) noexcept;
/// Takes `handle` out of the queue. Needs no lock. The handle's process has to look afterwards whether its turn has come meanwhile.
void leave_line(table_view& bytes, std::uint32_t handle) noexcept;
/// Takes `handle` out of the queue because its turn has come. Needs no lock.
void take_turn(table_view& bytes, std::uint32_t handle) noexcept;

/// If the events have no owner and a handle stands by, makes the first in the queue the owner. Returns its process, to be rung;
/// no_index if nothing changed. Idempotent.
std::uint32_t succeed(table_view& bytes, std::uint32_t socket) noexcept;
/// The second half of `succeed`: `successor` was the first in the queue a moment ago, and may have left it since.
std::uint32_t give_turn(table_view& bytes, socket_slot& slot, std::uint32_t successor) noexcept;

/// Whether a handle may stand by while the events have no owner. Needs no lock.
bool awaits_successor(const table_view& bytes, std::uint32_t socket) noexcept;

/// Passes the registration from `process` to the first in the queue in one step; `handle` joins the end of the queue with the
/// mask it had. no_index if no other handle stands by: then nothing changed.
std::uint32_t pass_on(table_view& bytes, std::uint32_t socket, std::uint32_t process, std::uint32_t epoch,
                      std::uint32_t handle) noexcept;

void rebuild_hints(table_view& bytes) noexcept;

} // namespace socket_table
} // namespace sharedsock::detail
