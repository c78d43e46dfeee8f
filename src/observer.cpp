// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "observer.hpp"

#include "outcome.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sharedsock::detail {
namespace {

int option(int descriptor, int name) noexcept
{
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

bool bytes_wait(int descriptor) noexcept
{
    int bytes = 0;
    return ::ioctl(descriptor, FIONREAD, &bytes) == 0 && bytes > 0;
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

} // namespace

observation observe(int descriptor, socket_slot& slot, std::uint32_t mask) noexcept
{
    observation seen;
    pollfd ask{descriptor, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
    ::poll(&ask, 1, 0); // cannot fail for one descriptor with no wait, but for EINTR and ENOMEM: then nothing is shown
    seen.revents = ask.revents;
    seen.stream = slot.type != SOCK_DGRAM;
    seen.local = slot.family == AF_UNIX;
    seen.flags = slot.flags.load();
    if ((seen.flags & flag_listening) == 0) {
        outcome::of_shown(descriptor, slot, seen.revents);
        const connect_word attempt = connect_word::decode(slot.connect_state.load());
        seen.phase = attempt.phase;
        seen.connect_error = attempt.error;
        seen.terminal_error = static_cast<int>(slot.terminal_error.load());
        // An end shows as readable too, so ask what there is. Not before: FIONREAD stops at the mark of urgent data, and what lies
        // behind it can be received all the same (measured).
        const bool end = (seen.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
        if ((seen.revents & POLLIN) != 0) seen.data = !seen.stream || !end || bytes_wait(descriptor);
        if ((seen.revents & POLLPRI) != 0) seen.oob_inline = option(descriptor, SO_OOBINLINE) != 0;
        if (!seen.stream && (mask & ev_write) != 0) seen.bound = has_local_address(descriptor, slot.family);
    }
    return seen;
}

} // namespace sharedsock::detail
