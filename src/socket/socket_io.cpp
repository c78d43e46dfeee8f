// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The data calls of `shared_socket`. Each is one system call and, when it has received something, one look at the registration
// word; `go_on_sending` and `go_on_receiving` do all the rest.
#include "base/stored_error.hpp"
#include "events/re_enabling.hpp"
#include "events/transfer.hpp"
#include "socket/blocking.hpp"

#include <sharedsock/shared_socket.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/uio.h>

namespace sharedsock {
namespace {

using detail::call_category;
using detail::handle;
using detail::sys;
using detail::told_error;
using detail::waits_for;
namespace transfer = detail::transfer;

constexpr int never_wait = MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE; // with one of these the kernel does not wait

std::size_t size_of(const msghdr& message) noexcept
{
    std::size_t size = 0;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i)
        size += message.msg_iov[i].iov_len;
    return size;
}

// A message of which some bytes have been transferred. The caller's pieces stay as they are.
class rest_of_message {
public:
    explicit rest_of_message(msghdr& message) noexcept : message_(message) {}

    void transferred(std::size_t bytes)
    {
        if (pieces_.empty()) pieces_.assign(message_.msg_iov, message_.msg_iov + message_.msg_iovlen);
        for (; first_ < pieces_.size() && bytes >= pieces_[first_].iov_len; ++first_)
            bytes -= pieces_[first_].iov_len;
        if (first_ < pieces_.size()) {
            pieces_[first_].iov_base = static_cast<std::byte*>(pieces_[first_].iov_base) + bytes;
            pieces_[first_].iov_len -= bytes;
        }
        message_.msg_iov        = pieces_.data() + first_;
        message_.msg_iovlen     = pieces_.size() - first_;
        message_.msg_control    = nullptr; // was sent with the first bytes
        message_.msg_controllen = 0;
    }

private:
    msghdr& message_;
    std::vector<iovec> pieces_;
    std::size_t first_ = 0;
};

// Goes on after a first try that failed or was short; `sent` and errno are its result. Waits if the common mode is blocking: a
// stream then takes all bytes, as with send(2).
[[gnu::cold, gnu::noinline]] std::size_t go_on_sending(handle& h, msghdr message, std::size_t size, int flags, ssize_t sent,
                                                       const call_category& first, error_code& ec)
{
    ec.clear();
    detail::patient_call call(h, SO_SNDTIMEO);
    const call_category* made = &first;
    rest_of_message rest(message);
    std::size_t done    = 0;
    bool met_resistance = false;
    for (;; sent = transfer::send(h, message, flags), made = &sys<"sendmsg">) {
        if (sent >= 0) {
            done += static_cast<std::size_t>(sent);
            if (!h.stream() || done >= size) break;
            met_resistance = true;
            rest.transferred(static_cast<std::size_t>(sent));
            if ((flags & never_wait) != 0 || !call.may_wait()) break; // a short count is an answer too
        } else if (errno == EAGAIN) {
            met_resistance = true;
            if ((flags & never_wait) != 0 || !call.may_wait())
                ec = told_error(EAGAIN);
            else
                call.wait(POLLOUT, ec);
            if (ec) break;
        } else if (errno != EINTR) {
            ec = transfer::failure_of(h, errno, *made);
            break;
        }
    }
    if (met_resistance && waits_for(h.slot(), detail::send_events)) re_enable(h, detail::send_events); // EVT-11
    if (done > 0) ec.clear(); // the next call meets an error that came after these bytes
    return done;
}

// Goes on after a first try that failed, found the end, or got less than MSG_WAITALL wants.
[[gnu::cold, gnu::noinline]] std::size_t go_on_receiving(handle& h, msghdr& message, std::size_t size, int flags, ssize_t got,
                                                         const call_category& first, error_code& ec)
{
    ec.clear();
    detail::patient_call call(h, SO_RCVTIMEO);
    const call_category* made = &first;
    const bool wants_all      = (flags & MSG_WAITALL) != 0 && (flags & (MSG_PEEK | never_wait)) == 0 && h.type() == SOCK_STREAM;
    rest_of_message rest(message);
    std::size_t done = 0;
    for (;; got = transfer::receive(h, message, flags, transfer::during::call), made = &sys<"recvmsg">) {
        if (got > 0) {
            done += static_cast<std::size_t>(got);
            if (!wants_all || done >= size || !call.may_wait()) break;
            rest.transferred(static_cast<std::size_t>(got));
        } else if (got == 0) {
            if (h.stream() && size != 0 && done == 0) ec = transfer::end_of(h);
            break;
        } else if (errno == EAGAIN) {
            if ((flags & never_wait) != 0 || !call.may_wait())
                ec = told_error(EAGAIN);
            else
                call.wait(POLLIN, ec);
            if (ec) break;
        } else if (errno != EINTR) {
            ec = transfer::failure_of(h, errno, *made);
            break;
        }
    }
    if (waits_for(h.slot(), detail::receive_events)) re_enable(h, detail::receive_events); // EVT-2: a failing call re-enables too
    if (done > 0) ec.clear();
    return done;
}

bool complete(ssize_t got, std::size_t size, int flags) noexcept
{
    return got > 0 && ((flags & MSG_WAITALL) == 0 || static_cast<std::size_t>(got) >= size);
}

// A short count from TCP says that the queue was empty at that moment, but for the mark of urgent data. (One from AF_UNIX does
// not: it ends where the credentials or descriptors that were passed along change.) CLOSE may have waited for the queue to be empty
// (EVT-19).
bool took_all(const handle& h, ssize_t got, std::size_t size, int flags) noexcept
{
    constexpr std::uint32_t exceptions = detail::flag_urgent | detail::flag_peer_ended;
    return h.protocol() == IPPROTO_TCP && flags == 0 && static_cast<std::size_t>(got) < size &&
           (h.slot().flags.load() & exceptions) == 0;
}

std::size_t received(handle& h, ssize_t got, std::size_t size, int flags, error_code& ec)
{
    ec.clear();
    if (waits_for(h.slot(), detail::receive_events)) [[unlikely]] {
        if (took_all(h, got, size, flags))
            re_enable_after_all(h);
        else
            re_enable(h, detail::receive_events);
    }
    return static_cast<std::size_t>(got);
}

} // namespace

std::size_t shared_socket::send(std::span<const std::byte> data, int flags, error_code& ec)
{
    handle* const h = opened(impl_, ec);
    if (h == nullptr) return 0;
    const iovec piece{const_cast<std::byte*>(data.data()), data.size()};
    const ssize_t sent = transfer::send(*h, piece, flags);
    if (sent == static_cast<ssize_t>(data.size())) [[likely]] {
        ec.clear();
        return data.size();
    }
    return go_on_sending(*h, transfer::message_of(&piece, 1), data.size(), flags, sent, sys<"sendto">, ec);
}

std::size_t shared_socket::send_to(std::span<const std::byte> data, const socket_address& to, int flags, error_code& ec)
{
    handle* const h = opened(impl_, ec);
    if (h == nullptr) return 0;
    const iovec piece{const_cast<std::byte*>(data.data()), data.size()};
    msghdr message      = transfer::message_of(&piece, 1);
    message.msg_name    = const_cast<sockaddr*>(to.data());
    message.msg_namelen = to.size();
    return send_message(message, flags, ec);
}

std::size_t shared_socket::send_message(const msghdr& message, int flags, error_code& ec)
{
    handle* const h = opened(impl_, ec);
    if (h == nullptr) return 0;
    const std::size_t size = size_of(message);
    const ssize_t sent     = transfer::send(*h, message, flags);
    if (sent == static_cast<ssize_t>(size)) [[likely]] {
        ec.clear();
        return size;
    }
    return go_on_sending(*h, message, size, flags, sent, sys<"sendmsg">, ec);
}

std::size_t shared_socket::send(std::span<const iovec> pieces, int flags, error_code& ec)
{
    return send_message(transfer::message_of(pieces.data(), pieces.size()), flags, ec);
}

std::size_t shared_socket::receive(std::span<std::byte> room, int flags, error_code& ec)
{
    handle* const h = opened(impl_, ec);
    if (h == nullptr) return 0;
    const iovec piece{room.data(), room.size()};
    const ssize_t got = transfer::receive(*h, piece, flags, transfer::during::call);
    if (complete(got, room.size(), flags)) [[likely]]
        return received(*h, got, room.size(), flags, ec);
    msghdr message = transfer::message_of(&piece, 1);
    return go_on_receiving(*h, message, room.size(), flags, got, sys<"recvfrom">, ec);
}

std::size_t shared_socket::receive_from(std::span<std::byte> room, socket_address& from, int flags, error_code& ec)
{
    const iovec piece{room.data(), room.size()};
    msghdr message         = transfer::message_of(&piece, 1);
    message.msg_name       = from.data();
    message.msg_namelen    = socket_address::capacity();
    const std::size_t size = receive_message(message, flags, ec);
    from.resize(ec ? 0 : std::min(message.msg_namelen, socket_address::capacity()));
    return size;
}

std::size_t shared_socket::receive_message(msghdr& message, int flags, error_code& ec)
{
    handle* const h = opened(impl_, ec);
    if (h == nullptr) return 0;
    const ssize_t got      = transfer::receive(*h, message, flags, transfer::during::call);
    const bool wants_all   = (flags & MSG_WAITALL) != 0;
    const std::size_t size = wants_all || got <= 0 ? size_of(message) : 0;
    if (complete(got, size, flags)) [[likely]]
        return received(*h, got, 0, flags, ec);
    msghdr progress         = message;
    const std::size_t total = go_on_receiving(*h, progress, size, flags, got, sys<"recvmsg">, ec);
    message.msg_namelen     = progress.msg_namelen;
    message.msg_flags       = progress.msg_flags;
    if (got <= 0) message.msg_controllen = progress.msg_controllen;
    return total;
}

std::size_t shared_socket::receive(std::span<const iovec> pieces, int flags, error_code& ec)
{
    msghdr message = transfer::message_of(pieces.data(), pieces.size());
    return receive_message(message, flags, ec);
}

// --- the same, throwing -----------------------------------------------------------------------------------------------

std::size_t shared_socket::send(std::span<const std::byte> data, int flags)
{
    return detail::or_throw("sharedsock::shared_socket::send", [&](error_code& ec) { return send(data, flags, ec); });
}

std::size_t shared_socket::send(std::string_view text, int flags) { return send(std::as_bytes(std::span(text)), flags); }

std::size_t shared_socket::send_to(std::span<const std::byte> data, const socket_address& to, int flags)
{
    return detail::or_throw("sharedsock::shared_socket::send_to", [&](error_code& ec) { return send_to(data, to, flags, ec); });
}

std::size_t shared_socket::receive(std::span<std::byte> room, int flags)
{
    return detail::or_throw("sharedsock::shared_socket::receive", [&](error_code& ec) { return receive(room, flags, ec); });
}

std::size_t shared_socket::receive_from(std::span<std::byte> room, socket_address& from, int flags)
{
    return detail::or_throw("sharedsock::shared_socket::receive_from",
                            [&](error_code& ec) { return receive_from(room, from, flags, ec); });
}

} // namespace sharedsock
