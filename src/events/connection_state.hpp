// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "tables/socket_table.hpp"

/// What has become of a connection, or of an attempt to connect. The kernel says it once, to whoever asks first, and shows all
/// others an orderly end (measured); here it is put into the slot, for every handle (STATE-5, STATE-8, STATE-9).
///
/// `terminal_error` holds what ended the connection. EPIPE there has one meaning: the peer ended in order and then refused what
/// was sent to it, so all that it had sent is complete. A failed attempt leaves nothing there: the socket may try again.
///
/// One window is left open: after a local shutdown(SHUT_WR), a reset whose only reader died before he could tell looks like the
/// orderly end, which the kernel shows in the same way.
namespace sharedsock::detail::outcome {

/// Collects SO_ERROR from the kernel and makes it known; returns it.
int collect(int descriptor, socket_slot& slot) noexcept;
/// Likewise, for somebody who did not ask for it: it stays there for SO_ERROR, in `pending_error` (STATE-8).
int collect_for_all(int descriptor, socket_slot& slot) noexcept;

/// A call failed with `error`: makes it known if it ended the connection. Returns what to tell the caller; SO_ERROR does not
/// tell it again.
int of_error(int descriptor, socket_slot& slot, int error) noexcept;
/// The same for a look of the event path, which has no caller to tell: the error stays for SO_ERROR, in `pending_error`.
void of_look(int descriptor, socket_slot& slot, int error) noexcept;

/// A receive from a stream returned no bytes. 0 if that is the orderly end, else what to tell the caller.
int of_end(int descriptor, socket_slot& slot) noexcept;

/// What became of the attempt, if one was under way; the error of a failed one goes to `pending_error` (STATE-8). The caller
/// holds the slot's lock, so that no attempt is just being started.
connect_word of_attempt(int descriptor, socket_slot& slot) noexcept;

/// poll(2) shows `revents`: makes known what they tell, for the event path, which takes no lock. It decides on positive evidence
/// only (an error, a peer), for an attempt may be just being started.
void of_shown(int descriptor, socket_slot& slot, short revents) noexcept;

/// `events` have been delivered: CONNECT tells of an attempt once (EVT-16).
void note_told(socket_slot& slot, std::uint32_t events) noexcept;

/// What the kernel knows of a TCP socket. The state alone cannot tell a connection that was reset from an attempt that was
/// refused; but only in a connection was anything of its own ever delivered, the SYN at least (measured; Linux 4.18).
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

/// Rids an unconnected TCP socket of what a failed attempt, or a shutdown(2) that failed, has left in it; connect(2) to nobody.
/// An address that it was bound to stays.
void renew(int descriptor) noexcept;

} // namespace sharedsock::detail::outcome
