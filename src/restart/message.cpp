// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/message.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <boost/system/errc.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace sharedsock::restart::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::sys;
using sharedsock::detail::uninterrupted;
namespace new_fd = sharedsock::detail::new_fd;

namespace {

constexpr std::size_t most_descriptors = 4; // more than any message has, to see one that has too many

void take_descriptors(msghdr& message, arrived_message& into)
{
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(part) + i * sizeof number, sizeof number);
            into.descriptors.push_back(new_fd::received(number));
            if (into.descriptors.back()) continue;
            into.descriptors.pop_back();
            into.lacks_descriptors = true;
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) into.lacks_descriptors = true;
}

} // namespace

error_code conversation::transmit(std::span<const std::byte> bytes, std::span<const int> descriptors) noexcept
{
    iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()}; // sendmsg only reads it
    alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))]{};
    msghdr message{};
    message.msg_iov    = &piece;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control    = control;
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* const rights  = CMSG_FIRSTHDR(&message);
        rights->cmsg_level     = SOL_SOCKET;
        rights->cmsg_type      = SCM_RIGHTS;
        rights->cmsg_len       = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    const auto attempt = [&] { return ::sendmsg(connection_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT); };
    ssize_t sent       = uninterrupted(attempt);
    if (sent < 0 && errno == ECONNRESET) sent = uninterrupted(attempt); // the kernel reports that once: a message was left unread
    if (sent >= 0) return {};
    // ETOOMANYREFS: the user has too many descriptors on their way; some arrive soon.
    if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
        return boost::system::errc::make_error_code(boost::system::errc::operation_would_block);
    return last_error(sys<"sendmsg">);
}

error_code conversation::send_now(const wire::message& one, std::span<const int> descriptors)
{
    return transmit(wire::encode(one), descriptors);
}

void conversation::send(const wire::message& one, std::vector<int> descriptors)
{
    outbox_.push_back({wire::encode(one), std::move(descriptors)});
}

error_code conversation::flush()
{
    while (!outbox_.empty()) {
        const error_code ec = transmit(outbox_.front().bytes, outbox_.front().descriptors);
        if (ec == boost::system::errc::operation_would_block) return {};
        if (ec) return ec;
        outbox_.pop_front();
    }
    return {};
}

arrival conversation::receive(arrived_message& into)
{
    std::array<std::byte, wire::largest_message> room;
    alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))];
    for (;;) {
        into = {};
        into.descriptors.reserve(most_descriptors); // once received, none may be lost for want of memory
        iovec piece{room.data(), room.size()};
        msghdr message{};
        message.msg_iov        = &piece;
        message.msg_iovlen     = 1;
        message.msg_control    = control;
        message.msg_controllen = sizeof control;
        const ssize_t size     = new_fd::receive(connection_.get(), message, MSG_DONTWAIT);
        if (size < 0 && errno == ECONNRESET)
            continue; // the other side has ended with a message unread; those that it sent are here
        if (size < 0) return errno == EAGAIN ? arrival::nothing : arrival::end;
        if (size == 0) return arrival::end;
        take_descriptors(message, into);
        if ((message.msg_flags & MSG_TRUNC) == 0)
            into.content = wire::decode(std::span(room).first(static_cast<std::size_t>(size)));
        return arrival::message;
    }
}

void conversation::refuse_more() noexcept { ::shutdown(connection_.get(), SHUT_RD); }

} // namespace sharedsock::restart::detail
