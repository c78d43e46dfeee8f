// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/connection_state.hpp"

#include "base/futex.hpp"
#include "base/stored_error.hpp"
#include "events/detector.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>

#include <linux/tcp.h> // not <netinet/tcp.h>, whose tcp_info ends before tcpi_delivered
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sharedsock::detail::connection_state {
namespace {

bool is_stream(const socket_slot& slot) noexcept { return slot.type == SOCK_STREAM || slot.type == SOCK_SEQPACKET; }

int socket_error(int descriptor) noexcept
{
    int error      = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : 0;
}

// The errors that may end a connection. With IP_RECVERR some of them occur without an end: the connection state decides.
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
    return errno_in(first);
}

void settle(socket_slot& slot, const connect_word& outcome) noexcept
{
    std::uint32_t under_way = connect_word{connect_phase::in_progress, 0}.encode();
    if (slot.connect_state.compare_exchange_strong(under_way, outcome.encode())) futex::wake_all(&slot.connect_state);
}

bool is_set(const atomic_u32& mark) noexcept { return mark.load() == static_cast<std::uint32_t>(end_mark::set); }
bool is_damaged(const atomic_u32& mark) noexcept { return !is_set(mark) && mark.load() != 0; }
void set(atomic_u32& mark) noexcept { mark.store(static_cast<std::uint32_t>(end_mark::set)); }

connect_word attempt_of(const socket_slot& slot) noexcept { return connect_word::decode(slot.connect_state.load()); }

// The number of bytes that TCP_INQ says are left; negative if the kernel said nothing: another process has just switched it off.
int bytes_left_by_inq(int descriptor) noexcept
{
    char byte = 0;
    iovec piece{&byte, 1};
    alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov        = &piece;
    message.msg_iovlen     = 1;
    message.msg_control    = room;
    message.msg_controllen = sizeof room;
    if (::recvmsg(descriptor, &message, MSG_PEEK | MSG_DONTWAIT) < 0) return 0;
    const cmsghdr* const told = CMSG_FIRSTHDR(&message);
    int left                  = -1;
    if (told != nullptr && told->cmsg_type == TCP_CM_INQ) std::memcpy(&left, CMSG_DATA(told), sizeof left);
    return left;
}

// Whether the peer had ended in order before the kernel closed the connection. TCP_INQ counts the end as a byte, before it is
// received and after, and FIONREAD does not (measured; Linux 4.18). Where urgent data waits, the two stop at different places:
// then nothing is known. All processes share the option, and it is left off: on a closed connection it has no other use.
bool end_came(int descriptor) noexcept
{
    constexpr int attempts = 8;
    pollfd shown{descriptor, POLLPRI, 0};
    if (::poll(&shown, 1, 0) != 0 && (shown.revents & POLLPRI) != 0) return false;
    int on = 1, off = 0, left = -1, bytes = 0;
    for (int i = 0; i < attempts && left < 0; ++i) {
        if (::setsockopt(descriptor, IPPROTO_TCP, TCP_INQ, &on, sizeof on) != 0) return false;
        left = bytes_left_by_inq(descriptor);
    }
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_INQ, &off, sizeof off);
    return ::ioctl(descriptor, FIONREAD, &bytes) == 0 && left > bytes;
}

// A call returns the error to its caller: SO_ERROR does not say it again (STATE-8).
int told(socket_slot& slot, int error) noexcept
{
    auto waiting = static_cast<std::uint32_t>(error);
    if (error != 0 && slot.pending_error.load() == waiting) slot.pending_error.compare_exchange_strong(waiting, 0);
    return error;
}

int of_tcp_error(int descriptor, socket_slot& slot, int error) noexcept
{
    const tcp_view seen = view(descriptor, slot);
    if (!seen.closed()) return error;
    if (!seen.connected) {
        if (error == EPIPE) return ENOTCONN; // the kernel returns EPIPE for a send on an unconnected stream
        if (error != ENOTCONN) settle(slot, {connect_phase::failed, error});
        return error;
    }
    settle(slot, {connect_phase::connected, 0}); // if no process has noticed yet
    if (error == ENOTCONN) return error;
    // EPIPE here: this very call has collected the error that a reset after an orderly end leaves behind, or another process has
    // collected a reset and died before it could latch it.
    if (error == EPIPE && !is_set(slot.peer_end)) {
        if (end_came(descriptor))
            set(slot.peer_end); // before EPIPE is latched: `of_closed` relies on that
        else
            error = ECONNRESET;
    }
    return latch(slot, error);
}

// The error to return from a call that failed with `error`.
int judged(int descriptor, socket_slot& slot, int error) noexcept
{
    if (!is_stream(slot) || !can_end_a_connection(error)) return error;
    if (error == EPIPE && (slot.flags.load() & flag_shut_send) != 0) return error; // this side has shut down sending
    if (const int known = errno_in(slot.terminal_error.load()); known != 0) return known;
    if (slot.protocol == IPPROTO_TCP) return of_tcp_error(descriptor, slot, error);
    return error == ECONNRESET ? latch(slot, error) : error;
}

// The kernel decides whether it is a TCP socket, whatever the slot says.
tcp_view ask_kernel(int descriptor) noexcept
{
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
    return {true, info.tcpi_delivered != 0, info.tcpi_state};
}

// How a connection ended that the kernel has closed: 0 for an orderly end. The kernel says no more; the slot has the rest.
int of_closed(int descriptor, socket_slot& slot) noexcept
{
    const int known = errno_in(slot.terminal_error.load());
    if (known == EPIPE) return damaged_errno; // `peer_end` is set before it
    if (known != 0) return told(slot, known);
    if (is_set(slot.own_end)) return 0; // both sides have ended in order
    // This side has not ended its sending, so the connection was reset. If the peer had ended before, the kernel still has EPIPE,
    // or shows that the end came; if it has nothing, another process has collected the error, and perhaps died before telling it.
    const int error = collect_for_all(descriptor, slot);
    if (error == EPIPE || (error == 0 && end_came(descriptor))) {
        set(slot.peer_end);
        return 0;
    }
    return told(slot, latch(slot, error != 0 ? error : ECONNRESET));
}

} // namespace

tcp_view view(int descriptor, const socket_slot& slot) noexcept
{
    return slot.protocol == IPPROTO_TCP ? ask_kernel(descriptor) : tcp_view{};
}

void renew(int descriptor) noexcept
{
    const sockaddr nobody{AF_UNSPEC, {}};
    static_cast<void>(::connect(descriptor, &nobody, sizeof nobody)); // if it fails, the next attempt fails and says why
}

int collect(int descriptor, socket_slot& slot) noexcept
{
    const int error = socket_error(descriptor);
    if (error == EPIPE && slot.protocol == IPPROTO_TCP) {
        set(slot.peer_end); // the kernel keeps this value for a reset after the peer's end, and for nothing else
        latch(slot, EPIPE);
    } else if (error != 0) {
        judged(descriptor, slot, error);
    }
    return error;
}

int collect_for_all(int descriptor, socket_slot& slot) noexcept
{
    const int error = collect(descriptor, slot);
    if (error != 0) slot.pending_error.store(static_cast<std::uint32_t>(error));
    return error;
}

int of_error(int descriptor, socket_slot& slot, int error) noexcept { return told(slot, judged(descriptor, slot, error)); }

void of_look(int descriptor, socket_slot& slot, int error) noexcept
{
    judged(descriptor, slot, error);
    slot.pending_error.store(static_cast<std::uint32_t>(error));
}

int of_end(int descriptor, socket_slot& slot) noexcept
{
    if (is_set(slot.peer_end)) return 0;
    const tcp_view seen = ask_kernel(descriptor); // the slot's protocol may be damaged
    if (!seen.known) {                            // AF_UNIX shows an orderly end and a swallowed reset alike
        const int known = errno_in(slot.terminal_error.load());
        return known == EPIPE ? 0 : told(slot, known);
    }
    if (!seen.closed()) {
        if (seen.end_received()) set(slot.peer_end); // else it is this side's shutdown(SHUT_RD)
        return 0;
    }
    if (!seen.connected) { // a failed attempt to connect shows an end as well
        collect_for_all(descriptor, slot);
        return ENOTCONN;
    }
    settle(slot, {connect_phase::connected, 0});
    if (is_damaged(slot.peer_end) || is_damaged(slot.own_end)) return damaged_errno;
    return of_closed(descriptor, slot);
}

connect_word of_attempt(int descriptor, socket_slot& slot) noexcept
{
    // Between the moment in which another process collects the error of a failed attempt and its `settle`, the error is stored
    // nowhere; if that process dies there, the error is lost.
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
        if (error == 0) error = ECONNABORTED; // the kernel's own substitute for a lost error
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

bool has_peer(int descriptor) noexcept
{
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
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

} // namespace sharedsock::detail::connection_state
