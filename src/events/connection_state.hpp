// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/socket_table.hpp"

#include <cstdint>

/// The state of a connection, or of an attempt to connect. The kernel reports its error once, to the first process that asks, and
/// shows all others an orderly end (measured); these functions store it in the slot, for every handle (STATE-5, STATE-8, STATE-9).
///
/// `terminal_error` holds the error that ended the connection. EPIPE there has one meaning: the peer ended in order and then
/// refused the data that was sent to it, so all that it had sent is complete. A failed attempt stores nothing there: the socket may
/// try again.
///
/// One window is left open: if the only process that read a reset died before it could store it, after a local shutdown(SHUT_WR),
/// then the reset looks like an orderly end, which the kernel shows in the same way.
namespace sharedsock::detail::connection_state {

/// Collects SO_ERROR from the kernel and returns it; stores it in the slot if it ended the connection or an attempt.
int collect(int descriptor, socket_slot& slot) noexcept;
/// Collects SO_ERROR for a caller that did not ask for it: the error also goes to `pending_error`, for a later SO_ERROR (STATE-8).
int collect_for_all(int descriptor, socket_slot& slot) noexcept;

/// A call failed with `error`: stores it in the slot if it ended the connection. Returns the error for the call's caller; SO_ERROR
/// does not return it again.
int of_error(int descriptor, socket_slot& slot, int error) noexcept;
/// A look of the event path failed with `error`. It has no caller to tell: the error also goes to `pending_error`, for SO_ERROR.
void of_look(int descriptor, socket_slot& slot, int error) noexcept;

/// A receive from a stream returned no bytes. 0 if that is the orderly end, else the error for the caller.
int of_end(int descriptor, socket_slot& slot) noexcept;

/// The result of the attempt to connect, if one was under way; the error of a failed one goes to `pending_error` (STATE-8). The
/// caller holds the slot's lock, so that no other handle is just starting an attempt.
connect_word of_attempt(int descriptor, socket_slot& slot) noexcept;

/// poll(2) shows `revents`: stores in the slot what they tell. For the event path, which takes no lock: another handle may be
/// starting an attempt, so it decides on positive evidence only (an error, a peer).
void of_shown(int descriptor, socket_slot& slot, short revents) noexcept;

/// `events` have been delivered: CONNECT tells of an attempt once (EVT-16).
void note_told(socket_slot& slot, std::uint32_t events) noexcept;

/// The kernel's view of a TCP socket. The state alone does not tell a connection that was reset from an attempt that was refused;
/// but only a connection has ever delivered anything of its own, the SYN at least (measured; Linux 4.18).
struct tcp_view {
    bool known         = false; ///< it is a TCP socket
    bool connected     = false; ///< now or before; false again after it was dissolved
    std::uint8_t state = 0;

    // SYN_SENT 2, SYN_RECV 3, FIN_WAIT1 4, FIN_WAIT2 5, CLOSE 7, CLOSE_WAIT 8, LAST_ACK 9, CLOSING 11
    bool closed() const noexcept { return known && state == 7; }
    bool connecting() const noexcept { return state == 2 || state == 3; }
    bool end_received() const noexcept { return state == 8 || state == 9 || state == 11; }
    bool end_sent() const noexcept { return state == 4 || state == 5 || state == 9 || state == 11; }
};
tcp_view view(int descriptor, const socket_slot& slot) noexcept;

bool has_peer(int descriptor) noexcept; ///< getpeername(2) succeeds: it is connected

/// Clears the state that a failed attempt, or a failed shutdown(2), has left in an unconnected TCP socket: a connect(2) to
/// AF_UNSPEC. A bound address stays.
void renew(int descriptor) noexcept;

} // namespace sharedsock::detail::connection_state
