// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/socket_probe.hpp"

#include "events/connection_state.hpp"
#include "events/urgent.hpp"

#include <cerrno>
#include <cstdint>

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sharedsock::detail {
namespace {

int option(int descriptor, int name) noexcept
{
    int value      = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

int number_of(int descriptor, unsigned long what) noexcept
{
    int value = 0;
    return ::ioctl(descriptor, what, &value) == 0 ? value : 0;
}

// Whether an ordinary receive would return bytes, asked of the kernel by a receive that takes none.
bool peek(int descriptor, socket_slot& slot) noexcept
{
    char byte      = 0;
    const auto got = ::recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN)
        connection_state::of_look(descriptor, slot, errno); // a new error, which the kernel reports once
    return got > 0;
}

// FIONREAD stops at the mark of urgent data on TCP, and counts urgent bytes that were skipped on AF_UNIX (both measured).
bool bytes_wait(int descriptor, socket_slot& slot) noexcept
{
    const bool some = number_of(descriptor, FIONREAD) > 0;
    if (slot.type != SOCK_STREAM) return some;
    if (slot.family == AF_UNIX) return some && peek(descriptor, slot);
    return some || (number_of(descriptor, SIOCATMARK) != 0 && peek(descriptor, slot));
}

// An end shows as readable too, and on AF_UNIX an urgent byte does: only then ask the kernel whether there is data.
bool something_to_receive(int descriptor, socket_slot& slot, const observation& seen) noexcept
{
    if ((seen.revents & POLLIN) == 0) return false;
    const bool end    = (seen.revents & (seen.stream ? POLLRDHUP | POLLHUP | POLLERR : POLLRDHUP)) != 0;
    const bool urgent = seen.local && ((seen.flags & flag_urgent) != 0 || (seen.revents & POLLPRI) != 0);
    return (!end && !urgent) || bytes_wait(descriptor, slot);
}

bool has_local_address(int descriptor, int family) noexcept
{
    if (family == AF_UNIX) return true; // an unnamed one can send all the same
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
    // Port numbers are at the same place in sockaddr_in and sockaddr_in6.
    return reinterpret_cast<const std::uint16_t*>(&address)[1] != 0;
}

short ask_poll(int descriptor) noexcept
{
    pollfd ask{descriptor, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
    ::poll(&ask, 1, 0); // for one descriptor and no wait it fails with EINTR or ENOMEM only: then it shows nothing
    return ask.revents;
}

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI && EPOLLRDHUP == POLLRDHUP && EPOLLERR == POLLERR &&
              EPOLLHUP == POLLHUP);

} // namespace

observation observe(int descriptor, socket_slot& slot, std::uint32_t mask, std::optional<std::uint32_t> shown) noexcept
{
    observation seen;
    // The bits that show the end of an attempt to connect may not be among those that the mask needs.
    if (connect_word::decode(slot.connect_state.load()).phase == connect_phase::in_progress) shown.reset();
    seen.revents = shown ? static_cast<short>(*shown) : ask_poll(descriptor);
    seen.stream  = slot.type != SOCK_DGRAM;
    seen.local   = slot.family == AF_UNIX;
    seen.flags   = slot.flags.load();
    if ((seen.flags & flag_listening) == 0) {
        connection_state::of_shown(descriptor, slot, seen.revents);
        const connect_word attempt = connect_word::decode(slot.connect_state.load());
        seen.phase                 = attempt.phase;
        seen.connect_error         = attempt.error;
        seen.terminal_error        = errno_in(slot.terminal_error.load());
        if (seen.stream) {
            if ((seen.revents & POLLPRI) != 0) urgent::mind(slot);
            seen.urgent_kept = urgent::kept(slot);
            if ((seen.revents & POLLPRI) != 0 || seen.urgent_kept) seen.oob_inline = option(descriptor, SO_OOBINLINE) != 0;
            // After a local shutdown of receiving the peer's end shows nothing new (measured), but TCP knows of it (EVT-22).
            if ((seen.flags & flag_shut_receive) != 0 && slot.protocol == IPPROTO_TCP) {
                const connection_state::tcp_view state = connection_state::view(descriptor, slot);
                seen.peer_end                          = state.end_received() || (state.closed() && state.connected);
            }
        }
        seen.data = something_to_receive(descriptor, slot, seen);
        if (!seen.stream && (mask & ev_write) != 0) seen.bound = has_local_address(descriptor, slot.family);
    }
    return seen;
}

detection look_at(int descriptor, socket_slot& slot, const registration_word& word, std::optional<std::uint32_t> shown) noexcept
{
    detection found = detect(observe(descriptor, slot, word.mask, shown), word.mask);
    if (found.peer_ended && (slot.flags.load() & flag_peer_ended) == 0) slot.flags.fetch_or(flag_peer_ended);
    found.happened &= word.armed;
    return found;
}

} // namespace sharedsock::detail
