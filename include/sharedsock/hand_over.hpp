// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/segment.hpp>
#include <sharedsock/shared_socket.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sharedsock {

inline constexpr std::size_t max_carry = std::size_t{16} * 1024 * 1024; ///< bytes that one hand-over takes along

/// The data that goes with a socket: bytes that were read from it and that the next process to serve it needs, and a number of
/// the application's own.
struct carry {
    std::span<const std::byte> bytes; ///< at most `max_carry`; the caller's memory. May be empty
    std::uint64_t tag = 0;
};

/// A socket that was handed over to this process, with its carry exactly as it was sent.
struct handed_over {
    shared_socket socket;
    std::vector<std::byte> bytes;
    std::uint64_t tag = 0;
    process_id from; ///< the sender; may be dead by now
};

/// Gives `socket` to the process `target` for good, together with `with`, in one atomic step (G8): all or nothing.
///
/// On success this handle is closed and the target alone has it: if the target dies before it receives it, the connection closes,
/// as with any holder's death (G6), while this process may die at once. A registration made through the handle is cancelled, the
/// first in the standby queue becomes the owner, and the handle leaves that queue (REG-14). Bytes that are in the kernel stay
/// there, and a target that registers is told of them (G4). Other handles to the socket, here or elsewhere, are not concerned. On
/// failure nothing has changed: the socket, its registration and the bytes are still the caller's. The form without `ec` throws
/// `system_error`.
///
/// @par Errors
/// `errc::target_gone`: choose another. `errc::mailbox_full`: the target is slow, or too many descriptors are under way; try
/// again later, or choose another. `errc::carry_too_large`: send the rest by other means. `errc::handle_table_full`: close
/// handles. `errc::lock_timeout`: the slot's lock holder is stopped; try again.
/// `std::errc::too_many_files_open` and others of memfd_create(2): more than 16 KiB are sent in sealed memory.
/// @par Safety
/// Threads: as `close`; no other thread may be in a call of this handle. Processes: safe, also if any of them dies at any moment.
/// fork(2): a child that was forked before has a handle of its own. Signal handlers: not callable. Never waits for the target.
void hand_over(shared_socket&& socket, process_id target, const carry& with, error_code& ec);
void hand_over(shared_socket&& socket, process_id target, const carry& with = {});

/// The next socket that was handed over to this process, in the order in which each sender sent them; nothing if none waits. Never
/// blocks. `where` must be the segment that the sender's handle is of. The form without `ec` throws `system_error`.
///
/// @par Errors
/// `errc::bad_hand_over`, `errc::wrong_descriptor`: a message was forged or damaged (G10); its descriptors are closed, call again.
/// `std::errc::too_many_files_open` and other local shortages: the hand-over stays where it is; make room and call again.
/// @par Safety
/// Threads: safe; each hand-over goes to one of them. fork(2): waiting hand-overs stay the parent's. Signal handlers: not callable.
std::optional<handed_over> receive_hand_over(const segment& where, error_code& ec);
std::optional<handed_over> receive_hand_over(const segment& where);

/// The first step of a drain: from now on `hand_over` to this process fails with `errc::target_gone`, and its caller keeps the
/// socket. Each hand-over that succeeded before waits here: call `receive_hand_over` until it has nothing, serve those, and detach.
/// Without this call, those that come between the last `receive_hand_over` and the end of the attachment are lost.
///
/// Tickets to this process fail in the same way, and processes that open a socket by its published name ask other holders. It holds
/// as long as the attachment; repeating it does no harm. A child that is forked later takes hand-overs. Fails with the errors of
/// shutdown(2) and epoll_ctl(2); `errc::not_attached`. The form without `ec` throws `system_error`.
///
/// @par Safety
/// Threads: safe. fork(2): concerns this process alone. Signal handlers: not callable. Never waits.
void refuse_hand_overs(const segment& where, error_code& ec);
void refuse_hand_overs(const segment& where);

/// A descriptor for poll(2) and its like: readable when `receive_hand_over` may have something. Call that until it has nothing.
/// Other messages make it readable too, and that call deals with them; a program may serve as well (`segment::poll`). The
/// descriptor stays the library's. A forked child asks for its own. Fails as `receive_hand_over`.
int hand_over_handle(const segment& where, error_code& ec);
int hand_over_handle(const segment& where);

} // namespace sharedsock
