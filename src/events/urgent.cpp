// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/urgent.hpp"

#include "events/detector.hpp"
#include "events/re_enabling.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <linux/sockios.h>
#include <sys/ioctl.h>

namespace sharedsock::detail::urgent {
namespace {

constexpr std::uint32_t present = 0x100; // in slot.urgent, above the byte

// Copies the unread urgent byte into the slot. The kernel keeps it until the receive that follows discards it. False if there is
// none.
bool keep(int descriptor, socket_slot& slot) noexcept
{
    unsigned char byte = 0;
    if (::recv(descriptor, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) != 1) return false;
    slot.urgent.store(present | byte);
    return true;
}

bool at_mark(int descriptor) noexcept
{
    int value = 0;
    return ::ioctl(descriptor, SIOCATMARK, &value) == 0 && value != 0;
}

// A receive passes a mark only if it starts there, and an urgent byte may arrive at any moment. So this function looks for an
// ordinary byte first, and for the mark after that: an urgent byte that arrives later lies behind the ordinary one. FIONREAD
// cannot say whether there is an ordinary byte: on AF_UNIX it counts urgent bytes, also those that are gone (measured, Linux
// 6.18). If there is none, the function receives only to discard an urgent byte that the slot keeps by now; AF_UNIX would call it
// readable for ever, TCP does not.
ssize_t receive_ordinary(int descriptor, socket_slot& slot, msghdr& message, int flags, bool& moved)
{
    char byte        = 0;
    const auto shown = ::recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (shown < 0 && errno != EAGAIN) return -1; // an error, which the kernel reports once
    if (shown >= 0 || slot.family == AF_UNIX) moved = at_mark(descriptor) && keep(descriptor, slot);
    if (shown >= 0 || moved) return ::recvmsg(descriptor, &message, flags);
    errno = EAGAIN;
    return -1;
}

// Gives the kept byte to `message`. False if there is none, or no room.
bool give_kept(socket_slot& slot, msghdr& message, bool peek) noexcept
{
    const auto end   = message.msg_iov + message.msg_iovlen;
    const auto place = std::find_if(message.msg_iov, end, [](const iovec& piece) { return piece.iov_len != 0; });
    if (place == end) return false;
    const std::uint32_t byte = peek ? slot.urgent.load() : slot.urgent.exchange(0);
    if (byte == 0) return false;
    *static_cast<unsigned char*>(place->iov_base) = static_cast<unsigned char>(byte & 0xff);
    message.msg_namelen                           = 0;
    message.msg_controllen                        = 0;
    message.msg_flags                             = MSG_OOB;
    return true;
}

ssize_t receive_urgent(int descriptor, socket_slot& slot, msghdr& message, int flags) noexcept
{
    const bool peek    = (flags & MSG_PEEK) != 0;
    const ssize_t got  = ::recvmsg(descriptor, &message, flags);
    const int why_none = errno;
    if (got > 0) {
        if (!peek) slot.urgent.store(0); // the kept byte is older, or the same
        return got;
    }
    if (give_kept(slot, message, peek)) return 1;
    errno = why_none;
    return got;
}

// `moved`: whether this receive has moved the byte at the mark into the slot.
ssize_t receive_serialised(handle& h, msghdr& message, int flags, bool& moved)
{
    socket_slot& slot = h.slot();
    if (h.type() != SOCK_STREAM || (flags & MSG_ERRQUEUE) != 0) return ::recvmsg(h.fd(), &message, flags);
    mind(slot);
    if ((flags & MSG_PEEK) != 0 && (flags & MSG_OOB) == 0) return ::recvmsg(h.fd(), &message, flags); // discards nothing
    error_code ec;                               // a stopped process holds the slot's lock: receive without it
    membership* const self = h.where().member(); // without confirming the identity: the caller may hold a reactor's lock
    ssize_t got            = 0;
    int why                = 0;
    {
        std::optional<membership::slot_guard> guard;
        if (self != nullptr) guard.emplace(*self, h.socket().index, ec);
        got = (flags & MSG_OOB) != 0 ? receive_urgent(h.fd(), slot, message, flags)
                                     : receive_ordinary(h.fd(), slot, message, flags, moved);
        why = errno;
    }
    errno = why;
    return got;
}

} // namespace

ssize_t receive(handle& h, msghdr& message, int flags)
{
    bool moved        = false;
    const ssize_t got = receive_serialised(h, message, flags, moved);
    const int why     = errno;
    // The kernel does not show the byte to the owner any more, and perhaps never did: epoll reads the state when a thread waits.
    if (moved && (load(h.slot().registration).mask & ev_oob) != 0) re_enable(h, ev_oob);
    errno = why;
    return got;
}

ssize_t receive_in_delivery(handle& h, msghdr& message, int flags)
{
    bool moved = false;
    return receive_serialised(h, message, flags, moved);
}

} // namespace sharedsock::detail::urgent
