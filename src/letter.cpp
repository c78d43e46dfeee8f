// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "letter.hpp"

#include "last_error.hpp"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace sharedsock::detail {

int send_letter(int connection, const letter& text, int descriptor) noexcept
{
    iovec bytes{const_cast<letter*>(&text), sizeof text}; // sendmsg only reads it
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};

    msghdr message{};
    message.msg_iov    = &bytes;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
        message.msg_control    = control;
        message.msg_controllen = sizeof control;
        cmsghdr* rights        = CMSG_FIRSTHDR(&message);
        rights->cmsg_level     = SOL_SOCKET;
        rights->cmsg_type      = SCM_RIGHTS;
        rights->cmsg_len       = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    }
    const ssize_t sent = uninterrupted([&] { return ::sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
    return sent < 0 ? errno : 0;
}

peeked_letter::peeked_letter(int connection) noexcept : connection_(connection)
{
    iovec bytes{&text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(descriptors_shown * sizeof(int))];

    msghdr message{};
    message.msg_iov        = &bytes;
    message.msg_iovlen     = 1;
    message.msg_control    = control;
    message.msg_controllen = sizeof control;

    constexpr int how = MSG_PEEK | MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    size              = uninterrupted([&] { return ::recvmsg(connection_, &message, how); });
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

void peeked_letter::take_descriptors(const unsigned char* numbers, std::size_t bytes) noexcept
{
    for (; bytes >= sizeof(int) && descriptor_count < descriptors.size(); bytes -= sizeof(int)) {
        int number = -1;
        std::memcpy(&number, numbers, sizeof number);
        numbers += sizeof number;
        descriptors[descriptor_count++].reset(number);
    }
}

void peeked_letter::consume() noexcept { ::recv(connection_, nullptr, 0, MSG_DONTWAIT); }

bool peeked_letter::descriptor_left_behind() const noexcept
{
    return (flags & MSG_CTRUNC) != 0 && descriptor_count == 0;
}

bool peeked_letter::acceptable() const noexcept
{
    if (size != sizeof text || (flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || text.magic != letter::magic_value) {
        return false;
    }
    switch (text.what) {
    case letter::kind::request:
        return descriptor_count == 0;
    case letter::kind::offer:
    case letter::kind::grant:
        return descriptor_count == 1 && is_the_right_socket();
    }
    return false; // the number came from outside
}

bool peeked_letter::is_the_right_socket() const noexcept // what is not a socket has no cookie
{
    std::uint64_t cookie = 0;
    socklen_t length     = sizeof cookie;
    return ::getsockopt(descriptors[0].get(), SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 && cookie == text.cookie;
}

} // namespace sharedsock::detail
