// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/detector.hpp"

#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/epoll.h>

namespace sharedsock::detail {
namespace {

// EVT-18: a reset is a reset, every other failure is an abort.
int close_code(int error) noexcept
{
    switch (error) {
    case 0:
        return 0;
    case ECONNRESET:
        return ECONNRESET;
    case ENETDOWN:
        return ENETDOWN;
    default:
        return ECONNABORTED;
    }
}

detection detect_datagram(const observation& seen) noexcept
{
    detection found;
    if (seen.data) found.happened |= ev_read; // a datagram of no bytes is data too (EVT-9)
    if ((seen.revents & POLLOUT) != 0 && seen.bound && (seen.flags & flag_shut_send) == 0) found.happened |= ev_write; // EVT-12
    if (seen.phase == connect_phase::connected) found.happened |= ev_connect;                                          // EVT-16
    if (seen.phase == connect_phase::failed) {
        found.happened |= ev_connect;
        found.connect_error = seen.connect_error;
    }
    return found; // CLOSE is for connections only (EVT-22)
}

detection detect_stream(const observation& seen, std::uint32_t mask) noexcept
{
    detection found;
    const auto shows = [&](short bits) { return (seen.revents & bits) != 0; };

    // No event can occur while an attempt is under way, or between a failed one and the next.
    if (seen.phase == connect_phase::in_progress || seen.phase == connect_phase::told_failed) return found;
    if (seen.phase == connect_phase::failed) { // EVT-17: the reason, and neither WRITE nor CLOSE
        found.happened      = ev_connect;
        found.connect_error = seen.connect_error;
        return found;
    }
    if (seen.phase == connect_phase::connected) found.happened |= ev_connect;

    // Neither listening nor connected: the kernel shows HUP without any end (EVT-23).
    if (seen.terminal_error == 0 && shows(POLLHUP) && !shows(POLLIN | POLLRDHUP | POLLERR)) return found;

    if (seen.data) found.happened |= ev_read; // EVT-8; never for the end (EVT-9)
    // EVT-13, EVT-14. TCP shows the byte after a reset too, but no receive returns it any more (measured).
    const bool urgent_in_kernel = shows(POLLPRI) && (seen.local || seen.terminal_error == 0);
    if ((urgent_in_kernel || seen.urgent_kept) && !seen.oob_inline) found.happened |= ev_oob;

    // The peer's end, without the directions that this side has shut down (EVT-22). An end in both directions that this side has
    // not made is the peer's as well.
    const bool shut_receive = (seen.flags & flag_shut_receive) != 0;
    const bool shut_both    = shut_receive && (seen.flags & flag_shut_send) != 0;
    const bool refused      = seen.terminal_error == EPIPE; // the peer ended in order, then refused data sent to it (STATE-9)
    const bool orderly      = refused || (shows(POLLRDHUP) && (!shut_receive || seen.peer_end));
    const bool aborted      = seen.terminal_error != 0 && !refused;
    const bool reset        = !seen.local && !refused && shows(POLLHUP) && !shut_both &&
                       (seen.flags & flag_shut_send) == 0; // another process has collected its error
    found.peer_ended = orderly || aborted || reset || (seen.local && shows(POLLHUP) && !shut_both);
    if (found.peer_ended) {
        const bool abortive       = aborted || reset;
        const bool waits_for_data = !abortive && seen.data && (mask & ev_read) != 0; // EVT-19, EVT-20
        if (!waits_for_data) {
            found.happened |= ev_close;
            found.close_error = close_code(aborted ? seen.terminal_error : reset ? ECONNRESET : 0);
        }
    }
    // Room to send, unless CLOSE has told of an end or tells of it now (EVT-21).
    if (shows(POLLOUT) && !shows(POLLHUP | POLLERR) && (seen.flags & flag_shut_send) == 0 &&
        !((mask & ev_close) != 0 && found.peer_ended))
        found.happened |= ev_write;
    return found;
}

} // namespace

detection detect(const observation& seen, std::uint32_t mask) noexcept
{
    if (!seen.stream) return detect_datagram(seen);
    if ((seen.flags & flag_listening) != 0) { // EVT-15, and nothing else
        detection found;
        if ((seen.revents & POLLIN) != 0) found.happened = ev_accept;
        return found;
    }
    return detect_stream(seen, mask);
}

std::uint32_t epoll_interest(std::uint32_t mask) noexcept
{
    std::uint32_t local_registration = EPOLLET;
    if ((mask & (ev_read | ev_accept)) != 0) local_registration |= EPOLLIN;
    if ((mask & ev_read) != 0) local_registration |= EPOLLRDHUP | EPOLLPRI; // these two tell whether readable means data
    if ((mask & (ev_write | ev_connect)) != 0) local_registration |= EPOLLOUT;
    if ((mask & ev_oob) != 0) local_registration |= EPOLLPRI;
    if ((mask & ev_close) != 0) local_registration |= EPOLLRDHUP | EPOLLIN; // an end shows as readable too, whatever the protocol
    return local_registration;                                              // the kernel always shows ERR and HUP
}

} // namespace sharedsock::detail
