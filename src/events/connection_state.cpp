// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/connection_state.hpp"

#include "base/futex.hpp"
#include "events/detector.hpp"

#include <cerrno>
#include <chrono>

#include <linux/tcp.h> // not <netinet/tcp.h>, whose tcp_info ends before tcpi_delivered
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace sharedsock::detail::outcome {
namespace {

bool is_stream(const socket_slot& slot) noexcept { return slot.type == SOCK_STREAM || slot.type == SOCK_SEQPACKET; }

int socket_error(int descriptor) noexcept
{
    int error      = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : 0;
}

bool has_peer(int descriptor) noexcept
{
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

// What may be told of a connection that is no more. With IP_RECVERR some of them come without its end: the state decides.
bool can_end_a_connection(int error) noexcept
{
    switch (error) {
    case ECONNRESET:
    case ECONNABORTED:
    case ECONNREFUSED:
    case ETIMEDOUT:
    case EPIPE:
    case ENOTCONN:
    case ENETDOWN:
    case ENETRESET:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EPROTO:
        return true;
    default:
        return false;
    }
}

int latch(socket_slot& slot, int error) noexcept
{
    std::uint32_t first = 0;
    if (slot.terminal_error.compare_exchange_strong(first, static_cast<std::uint32_t>(error))) return error;
    return static_cast<int>(first);
}

void settle(socket_slot& slot, const connect_word& outcome) noexcept
{
    std::uint32_t under_way = connect_word{connect_phase::in_progress, 0}.encode();
    if (slot.connect_state.compare_exchange_strong(under_way, outcome.encode())) futex::wake_all(&slot.connect_state);
}

connect_word attempt_of(const socket_slot& slot) noexcept { return connect_word::decode(slot.connect_state.load()); }

int of_tcp_error(int descriptor, socket_slot& slot, int error) noexcept
{
    const tcp_view seen = view(descriptor, slot);
    if (!seen.closed()) return error;
    if (!seen.connected) {
        if (error == EPIPE) return ENOTCONN; // the kernel's word for sending on an unconnected stream
        if (error != ENOTCONN) settle(slot, {connect_phase::failed, error});
        return error;
    }
    settle(slot, {connect_phase::connected, 0}); // if nobody has noticed yet
    if (error == ENOTCONN) return error;
    // EPIPE here: this very call has collected what an end in order followed by a reset leaves behind, or somebody else has
    // collected a reset and died with it. Only who has received the end knows that it was the former.
    if (error == EPIPE && (slot.flags.load() & flag_end_received) == 0) error = ECONNRESET;
    return latch(slot, error);
}

} // namespace

tcp_view view(int descriptor, const socket_slot& slot) noexcept
{
    if (slot.protocol != IPPROTO_TCP) return {};
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
    return {true, info.tcpi_delivered != 0, info.tcpi_state};
}

void renew(int descriptor) noexcept
{
    const sockaddr nobody{AF_UNSPEC, {}};
    static_cast<void>(::connect(descriptor, &nobody, sizeof nobody)); // what comes of it shows the next attempt
}

int collect(int descriptor, socket_slot& slot) noexcept
{
    const int error = socket_error(descriptor);
    if (error == EPIPE && slot.protocol == IPPROTO_TCP)
        latch(slot, EPIPE); // the kernel keeps this value for a reset after the peer's end, and for nothing else
    else if (error != 0)
        of_error(descriptor, slot, error);
    return error;
}

int collect_for_all(int descriptor, socket_slot& slot) noexcept
{
    const int error = collect(descriptor, slot);
    if (error != 0) slot.pending_error.store(static_cast<std::uint32_t>(error));
    return error;
}

int of_error(int descriptor, socket_slot& slot, int error) noexcept
{
    if (!is_stream(slot) || !can_end_a_connection(error)) return error;
    if (error == EPIPE && (slot.flags.load() & flag_shut_send) != 0) return error; // our own doing
    if (const std::uint32_t known = slot.terminal_error.load(); known != 0) return static_cast<int>(known);
    if (slot.protocol == IPPROTO_TCP) return of_tcp_error(descriptor, slot, error);
    return error == ECONNRESET ? latch(slot, error) : error;
}

int of_end(int descriptor, socket_slot& slot) noexcept
{
    const std::uint32_t flags = slot.flags.load();
    if ((flags & flag_end_received) != 0) return 0;
    if (const std::uint32_t known = slot.terminal_error.load(); known != 0) return known == EPIPE ? 0 : static_cast<int>(known);
    const tcp_view seen = view(descriptor, slot);
    if (!seen.known) return 0; // AF_UNIX shows an orderly end and a swallowed reset alike
    if (!seen.closed()) {
        if (seen.end_received()) slot.flags.fetch_or(flag_end_received); // else it is our own shutdown(SHUT_RD)
        return 0;
    }
    if (!seen.connected) { // a failed attempt to connect shows an end as well
        collect_for_all(descriptor, slot);
        return ENOTCONN;
    }
    settle(slot, {connect_phase::connected, 0});
    if ((flags & flag_shut_send) != 0) return 0; // both ends were sent
    // The kernel has closed the connection, we have not: it was reset. If the peer had ended before, the kernel still has EPIPE
    // for us; if it has nothing, somebody else has got the error, and perhaps died with it.
    const int error = collect_for_all(descriptor, slot);
    if (error == 0) return latch(slot, ECONNRESET);
    if (error != EPIPE) return latch(slot, error);
    slot.flags.fetch_or(flag_end_received);
    return 0;
}

connect_word of_attempt(int descriptor, socket_slot& slot) noexcept
{
    // The error of a failed attempt is nowhere for the moment in which another process has collected it and has not yet said
    // so (`settle`); if it died there, nobody ever will.
    constexpr std::chrono::milliseconds moment{5};
    for (bool patient = true; attempt_of(slot).phase == connect_phase::in_progress;) {
        const tcp_view seen = view(descriptor, slot);
        pollfd shown{descriptor, POLLOUT, 0};
        if (seen.known ? seen.connecting() : ::poll(&shown, 1, 0) == 0) break;
        if (seen.known ? seen.connected : has_peer(descriptor)) {
            settle(slot, {connect_phase::connected, 0});
            break;
        }
        int error = socket_error(descriptor);
        if (error == 0 && patient) {
            patient = futex::sleep_while(&slot.connect_state, connect_word{connect_phase::in_progress, 0}.encode(), moment);
            continue;
        }
        if (error == 0) error = ECONNABORTED; // what the kernel calls it
        slot.pending_error.store(static_cast<std::uint32_t>(error));
        settle(slot, {connect_phase::failed, error});
    }
    return attempt_of(slot);
}

void of_shown(int descriptor, socket_slot& slot, short revents) noexcept
{
    const bool attempting = is_stream(slot) && attempt_of(slot).phase == connect_phase::in_progress;
    if ((revents & POLLERR) == 0 && !(attempting && (revents & (POLLOUT | POLLHUP)) != 0)) return;
    const int error = collect_for_all(descriptor, slot);
    if (!attempting) return;
    if (error != 0)
        settle(slot, {connect_phase::failed, error});
    else if (has_peer(descriptor))
        settle(slot, {connect_phase::connected, 0});
}

void note_told(socket_slot& slot, std::uint32_t events) noexcept
{
    if ((events & ev_connect) == 0) return;
    std::uint32_t seen         = slot.connect_state.load();
    const connect_word attempt = connect_word::decode(seen);
    if (attempt.phase == connect_phase::connected)
        slot.connect_state.compare_exchange_strong(seen, connect_word{connect_phase::told, 0}.encode());
    if (attempt.phase == connect_phase::failed)
        slot.connect_state.compare_exchange_strong(seen, connect_word{connect_phase::told_failed, attempt.error}.encode());
}

} // namespace sharedsock::detail::outcome
