// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <sys/socket.h>
#include <sys/types.h>

/// Urgent data beside ordinary data (EVT-14). The kernel discards an unread urgent byte when an ordinary receive passes its
/// mark, even one that then fails with EAGAIN (measured, TCP and AF_UNIX). So a receive that may pass it first puts the byte into
/// the slot, where it stays for MSG_OOB through any handle.
///
/// That costs system calls, and only streams that have to do with urgent data pay them (`flag_urgent`): from the moment at which
/// somebody nominates OOB, receives with MSG_OOB, or the event path is shown some. What nobody had asked for before an ordinary
/// receive passed it is gone, as without the library (G12).
namespace sharedsock::detail::urgent {

/// This stream may carry urgent data that matters to somebody: from now on receives look out for it.
inline void mind(socket_slot& slot) noexcept
{
    if (slot.type == SOCK_STREAM && (slot.flags.load() & flag_urgent) == 0) slot.flags.fetch_or(flag_urgent);
}

/// Whether a receive with `flags` has to go through `receive`. One load.
inline bool concerns(const socket_slot& slot, int flags) noexcept
{
    return ((flags & MSG_OOB) | static_cast<int>(slot.flags.load(std::memory_order_relaxed) & flag_urgent)) != 0;
}

/// Whether a byte is kept that MSG_OOB has yet to receive.
inline bool kept(const socket_slot& slot) noexcept { return slot.urgent.load() != 0; }

/// recvmsg(2), never waiting, that loses no urgent byte. With MSG_OOB it receives the kernel's, or else the one that is kept; a
/// newer one replaces an older, as TCP has it. An ordinary receive may get less than there is.
///
/// Receives of one socket are serialised by the slot's lock, for between the look and the receive another one could move on to
/// a mark that had just arrived. A stopped holder of that lock delays them by the segment's patience; then they go on without it.
/// Killed at any point, the byte is in the kernel, in the slot, or in both, where the kernel's is the one that counts.
/// If the byte moves to the slot, the kernel shows it to nobody any more: then the owner looks, if OOB is nominated.
ssize_t receive(handle& h, msghdr& message, int flags);
/// The same without the last sentence: locks nothing but the slot. See `try_transfer` for who looks.
ssize_t receive_in_delivery(handle& h, msghdr& message, int flags);

} // namespace sharedsock::detail::urgent
