// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/message.hpp"

#include "base/denied.hpp"
#include "base/descriptor_proof.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include <sys/socket.h>

namespace sharedsock::detail {

int send_message(int connection, const mail_message& text, int descriptor, const packed_carry* carry) noexcept
{
    iovec pieces[3] = {{const_cast<mail_message*>(&text), sizeof text}}; // sendmsg only reads them
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    const int descriptors[]                                    = {descriptor, carry != nullptr ? carry->memory.get() : -1};

    msghdr message{};
    message.msg_iov    = pieces;
    message.msg_iovlen = 1;
    if (carry != nullptr) {
        pieces[1]          = {const_cast<carry_label*>(&carry->label), sizeof carry->label};
        pieces[2]          = {const_cast<std::byte*>(carry->in_message.data()), carry->in_message.size()};
        message.msg_iovlen = 3;
    }
    if (descriptor >= 0) {
        const std::size_t size = descriptors[1] >= 0 ? sizeof descriptors : sizeof(int);
        message.msg_control    = control;
        message.msg_controllen = CMSG_SPACE(size);
        cmsghdr* rights        = CMSG_FIRSTHDR(&message);
        rights->cmsg_level     = SOL_SOCKET;
        rights->cmsg_type      = SCM_RIGHTS;
        rights->cmsg_len       = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(rights), descriptors, size);
    }
    const ssize_t sent = uninterrupted([&] { return ::sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
    return sent < 0 ? errno : 0;
}

peeked_message::peeked_message(int connection) noexcept : connection_(connection)
{
    iovec pieces[] = {{&text, sizeof text}, {&label_, sizeof label_}, {room_.data(), room_.size()}};
    alignas(cmsghdr) char control[CMSG_SPACE(descriptors_shown * sizeof(int))];

    msghdr message{};
    message.msg_iov        = pieces;
    message.msg_iovlen     = std::size(pieces);
    message.msg_control    = control;
    message.msg_controllen = sizeof control;

    constexpr int how = MSG_PEEK | MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    size              = new_fd::receive(connection_, message, how);
    if (size < 0) {
        error = errno;
        return;
    }
    flags = message.msg_flags;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
            take_descriptors(CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
        }
    }
}

void peeked_message::take_descriptors(const unsigned char* numbers, std::size_t bytes) noexcept
{
    for (; bytes >= sizeof(int) && descriptor_count < descriptors.size(); bytes -= sizeof(int)) {
        int number = -1;
        std::memcpy(&number, numbers, sizeof number);
        numbers += sizeof number;
        descriptors[descriptor_count] = new_fd::received(number);
        if (!descriptors[descriptor_count]) { // no room above the standard numbers: it stays in the message
            flags |= MSG_CTRUNC;
            return;
        }
        ++descriptor_count;
    }
}

error_code peeked_message::consume() noexcept
{
    return ::recv(connection_, nullptr, 0, MSG_DONTWAIT) < 0 ? last_error(sys<"recvfrom">) : error_code();
}

bool peeked_message::descriptor_left_behind() const noexcept // fewer arrived than the message had room for
{
    return (flags & MSG_CTRUNC) != 0 && descriptor_count < descriptors_shown;
}

bool peeked_message::acceptable() const noexcept
{
    if ((flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || text.magic != mail_message::magic_value) {
        return false;
    }
    switch (text.what) {
    case mail_message::kind::request:
        return size == sizeof text && descriptor_count == 0;
    case mail_message::kind::offer:
    case mail_message::kind::grant:
        return size == sizeof text && descriptor_count == 1 && is_the_right_socket();
    case mail_message::kind::hand_over:
        return is_hand_over();
    }
    return false; // the number came from outside
}

// The receiver of the hand-over reports a wrong socket: that socket ends here, and the program has to hear of it.
bool peeked_message::is_hand_over() const noexcept
{
    constexpr std::size_t least = sizeof text + sizeof label_;
    if (static_cast<std::size_t>(size) < least || label_.in_memory > 1) {
        return false;
    }
    const std::size_t in_message = static_cast<std::size_t>(size) - least;
    return label_.in_memory == 1 ? descriptor_count == 2 && in_message == 0 && label_.size_bytes <= max_carry
                                 : descriptor_count == 1 && in_message == label_.size_bytes;
}

delivered_message peeked_message::deliver()
{
    delivered_message arrived;
    arrived.text = text;
    if (text.what == mail_message::kind::hand_over) {
        arrived.carry.label  = label_;
        arrived.carry.memory = std::move(descriptors[1]);
        if (label_.in_memory == 0) {
            arrived.carry.in_message.assign(room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(label_.size_bytes));
        }
        if (!is_the_right_socket()) {
            return arrived;
        }
    }
    arrived.descriptor = std::move(descriptors[0]);
    return arrived;
}

bool peeked_message::is_the_right_socket() const noexcept // a descriptor of another kind has no cookie
{
    const std::uint64_t cookie = cookie_of(descriptors[0].get());
    return cookie != 0 && cookie == text.cookie;
}

error_code peeked_message::cannot_tell() const noexcept
{
    int type         = 0;
    socklen_t length = sizeof type;
    if (descriptor_count == 0) return {};
    return if_denied(sys<"getsockopt">, ::getsockopt(descriptors[0].get(), SOL_SOCKET, SO_TYPE, &type, &length));
}

} // namespace sharedsock::detail
