// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/segment.hpp>
#include <sharedsock/shared_socket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace sharedsock {
namespace detail {
class giving;
}

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

struct hand_over_options {
    /// How long `hand_over` waits for the target, from the call on. Then the socket is the caller's again.
    std::chrono::milliseconds limit = std::chrono::seconds(10);
};

/// Gives `socket` to the process `target` for good, together with `with`, and waits until the target has taken it (G13). All or
/// nothing (G8): at every instant exactly one of the two has it, also if either is killed.
///
/// On success this handle is closed, and the target alone has it. A registration made through the handle is cancelled, unless the
/// target has registered already; the first in the standby queue becomes the owner, and the handle leaves that queue (REG-14).
/// Bytes that are in the kernel stay there, and a target that registers is told of them (G4). Other handles to the socket, here or
/// elsewhere, are not concerned.
///
/// On failure nothing has changed: the socket, its registration, its place in the standby queue and the bytes are still the
/// caller's. A target that dies, detaches, executes another program, declines it (`decline_hand_over`) or does not call
/// `receive_hand_over` within `hand_over_options::limit` gives them back. It cannot take the socket any more after that. The form
/// without `ec` throws `system_error`.
///
/// While it waits, it serves the segment as `segment::poll` does, so two processes may hand over to each other. It does not wait
/// for this process itself, which has the socket in any case: that lies in its mailbox then. Another attachment of it is another
/// target.
///
/// @par Errors
/// `errc::target_gone`: choose another. `errc::hand_over_declined`: choose one that knows the tag. `errc::hand_over_not_taken`: the
/// limit has passed. `errc::mailbox_full`: the same, and there was no room to send it in all that time; or, at once, too many
/// descriptors are under way. `errc::carry_too_large`: send the rest by other means. `errc::handle_table_full`: close handles.
/// `errc::lock_timeout`: the slot's lock holder is stopped; try again. `std::errc::too_many_files_open` and others of
/// timerfd_create(2) and memfd_create(2): it takes a descriptor, and another for more than 16 KiB.
/// @par Safety
/// Threads: as `close`; no other thread may be in a call of this handle until it returns. Processes: safe, also if any of them dies
/// at any moment. fork(2): a child that was forked before, or while it waits, has a handle of its own. Signal handlers: not
/// callable. Blocks: for the target.
void hand_over(shared_socket&& socket, process_id target, const carry& with, error_code& ec);
void hand_over(shared_socket&& socket, process_id target, const carry& with = {});
void hand_over(shared_socket&& socket, process_id target, const carry& with, const hand_over_options& how, error_code& ec);
void hand_over(shared_socket&& socket, process_id target, const carry& with, const hand_over_options& how);

/// The same without waiting for the target: it is done when the kernel has the message. If the target dies, detaches or never calls
/// `receive_hand_over`, the connection closes with it, as with any holder's death (G6). This process may die at once, and the
/// target still gets the socket. Never waits; `errc::mailbox_full`: the target is slow, or too many descriptors are under way.
/// Otherwise it succeeds and fails as `hand_over`.
void hand_over_unacknowledged(shared_socket&& socket, process_id target, const carry& with, error_code& ec);
void hand_over_unacknowledged(shared_socket&& socket, process_id target, const carry& with = {});

enum class hand_over_state {
    pending,  ///< the target has not taken it yet
    taken,    ///< the target has it, and this process has closed its handle
    returned, ///< it has come back
};

/// A `hand_over` that waits in the program's own loop, and has no limit of its own. It keeps the socket.
///
/// The program has its segment served (`segment::poll`, `serve_in_thread` or Asio's `serve`), asks for the state when
/// `native_handle` is readable, and at least once a second (a target that executes another program is noticed by that alone).
///
/// Threads: one at a time. fork(2): it stays the parent's; the child's copy has returned, with `std::errc::operation_canceled` and
/// the handle that the child has inherited. Destruction takes the socket back, and closes it.
class pending_hand_over {
public:
    pending_hand_over() noexcept; ///< none
    /// Begins it, without waiting. Fails as `hand_over_unacknowledged`; then `socket` is as before, and this object has none.
    pending_hand_over(shared_socket&& socket, process_id target, const carry& with, error_code& ec);
    explicit pending_hand_over(shared_socket&& socket, process_id target, const carry& with = {}); ///< Throws `system_error`.
    pending_hand_over(pending_hand_over&& other) noexcept;
    pending_hand_over& operator=(pending_hand_over&& other) noexcept;
    ~pending_hand_over();

    explicit operator bool() const noexcept { return impl_ != nullptr; }

    /// The state at this moment. If it is `returned`, `ec` says why: `errc::hand_over_declined`, `errc::target_gone`.
    /// `errc::closed_handle`: this object has none.
    hand_over_state state(error_code& ec);
    /// The socket, as it was; none and no error if the target has taken it. This object has none from then on. The target may have
    /// the message, and cannot take the socket any more.
    shared_socket take_back(error_code& ec);
    /// Readable when the state is not `pending` any more. It stays the object's. Fails as timerfd_create(2).
    int native_handle(error_code& ec);

private:
    shared_socket socket_; // closed once the target has taken it
    std::unique_ptr<detail::giving> impl_;
};

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

/// A hand-over that waits for this process, and stays where it is.
struct waiting_hand_over {
    std::uint64_t tag = 0;
    std::size_t bytes = 0;   ///< how many it brings along
    process_id from;         ///< the sender; may be dead by now
    std::uint64_t id    = 0; ///< for `decline_hand_over`
    std::uint64_t proof = 0; ///< for the same
};

/// The hand-over that the next call of `receive_hand_over` returns, if no other thread calls it and the sender does not take it
/// back. Never blocks. Fails as `receive_hand_over`. The form without `ec` throws `system_error`.
///
/// @par Safety
/// Threads: safe. fork(2): waiting hand-overs stay the parent's. Signal handlers: not callable.
std::optional<waiting_hand_over> peek_hand_over(const segment& where, error_code& ec);
std::optional<waiting_hand_over> peek_hand_over(const segment& where);

/// Sends exactly that hand-over back: its sender goes on with the socket, and is told `errc::hand_over_declined`. One that was sent
/// without acknowledgement, or whose sender has died, has no process to go back to: its socket is closed here. False if it does not
/// wait any more. Never blocks. `errc::not_attached`. The form without `ec` throws `system_error`.
///
/// @par Safety
/// Threads: safe. fork(2): concerns this process alone. Signal handlers: not callable.
bool decline_hand_over(const segment& where, const waiting_hand_over& which, error_code& ec);
bool decline_hand_over(const segment& where, const waiting_hand_over& which);

/// The first step of a drain: from now on `hand_over` to this process fails with `errc::target_gone`, and its caller keeps the
/// socket. Those that were sent before wait here: call `receive_hand_over` until it has nothing, serve those, and detach. The end
/// of the attachment gives back those that wait, but closes those that were sent without acknowledgement.
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
