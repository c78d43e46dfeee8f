// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <atomic>

#include <sys/socket.h>
#include <sys/types.h>

/// Urgent data beside ordinary data (EVT-14). The kernel discards an unread urgent byte when an ordinary receive passes its mark,
/// even one that then fails with EAGAIN (measured, TCP and AF_UNIX). So a receive that may pass the mark copies the byte into the
/// slot first, where it stays for MSG_OOB through any handle.
///
/// That costs system calls, which only streams with urgent data pay (`flag_urgent`): from the moment at which a process nominates
/// OOB or receives with MSG_OOB, or the event path sees urgent data. An urgent byte that an ordinary receive passed before that
/// moment is lost, as without the library (G12).
namespace sharedsock::detail::urgent {

/// A process uses urgent data of this stream: from now on receives keep it.
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

/// recvmsg(2) that never waits and loses no urgent byte. With MSG_OOB it receives the kernel's byte, or else the kept one; a newer
/// byte replaces an older one, as in TCP. An ordinary receive may get less than there is.
///
/// The slot's lock serialises the receives of one socket: between the look and the receive another process could receive up to a
/// mark that had just arrived. A stopped lock holder delays them by the segment's patience; then they go on without the lock.
/// If a process is killed at any point, the byte is in the kernel, in the slot, or in both, where the kernel's counts.
/// If the byte moves to the slot, the kernel does not show it any more: then this function tells the owner, if OOB is nominated.
ssize_t receive(handle& h, msghdr& message, int flags);
/// The receive of `receive`, inside a delivery: takes no lock but the slot's, and does not tell the owner. `transfer::during`
/// says how the owner learns of the byte.
ssize_t receive_in_delivery(handle& h, msghdr& message, int flags);

} // namespace sharedsock::detail::urgent
