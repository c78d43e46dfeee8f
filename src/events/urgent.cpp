// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/urgent.hpp"

#include "events/detector.hpp"
#include "events/re_enabling.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace sharedsock::detail::urgent {
namespace {

constexpr std::uint32_t present = 0x100; // in slot.urgent, above the byte

int number_of(int descriptor, unsigned long what) noexcept
{
    int value = 0;
    return ::ioctl(descriptor, what, &value) == 0 ? value : 0;
}

// Copies the byte at the mark into the slot. The kernel keeps it until the receive that follows discards it. False if there is
// none.
bool keep(int descriptor, socket_slot& slot) noexcept
{
    unsigned char byte = 0;
    if (::recv(descriptor, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) != 1) return false;
    slot.urgent.store(present | byte);
    return true;
}

// Whether no urgent byte can come any more: the peer or the connection has ended.
bool ended(int descriptor) noexcept
{
    pollfd shown{descriptor, POLLRDHUP, 0};
    return ::poll(&shown, 1, 0) > 0;
}

ssize_t receive_at_most(int descriptor, msghdr& message, std::size_t limit, int flags)
{
    std::vector<iovec> pieces;
    for (std::size_t i = 0; i < message.msg_iovlen && limit > 0; ++i) {
        iovec piece   = message.msg_iov[i];
        piece.iov_len = std::min(piece.iov_len, limit);
        limit -= piece.iov_len;
        pieces.push_back(piece);
    }
    msghdr part     = message;
    part.msg_iov    = pieces.data();
    part.msg_iovlen = pieces.size();
    const auto got  = ::recvmsg(descriptor, &part, flags);
    if (got >= 0) {
        message.msg_namelen    = part.msg_namelen;
        message.msg_controllen = part.msg_controllen;
        message.msg_flags      = part.msg_flags;
    }
    return got;
}

ssize_t receive_ordinary(int descriptor, socket_slot& slot, msghdr& message, int flags, bool& moved)
{
    if (number_of(descriptor, SIOCATMARK) != 0) {
        moved = keep(descriptor, slot);
        return ::recvmsg(descriptor, &message, flags);
    }
    // Receive no more than the bytes that wait now: a mark that comes later lies behind them. If none wait, receive nothing.
    if (const int waiting = number_of(descriptor, FIONREAD); waiting > 0)
        return receive_at_most(descriptor, message, static_cast<std::size_t>(waiting), flags);
    if (ended(descriptor)) return ::recvmsg(descriptor, &message, flags);
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
