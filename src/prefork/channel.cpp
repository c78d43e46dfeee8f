// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/channel.hpp"

#include "base/syscall.hpp"

#include <algorithm>
#include <cstring>

#include <sys/socket.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::uninterrupted;

message make_message(message::kind what, process_id who) noexcept
{
    message one{what};
    one.index      = who.index;
    one.generation = who.generation;
    return one;
}

message make_failure(std::string_view reason) noexcept
{
    message one{message::kind::failed};
    one.size = static_cast<std::uint32_t>(std::min(reason.size(), message::text_size));
    std::memcpy(one.text, reason.data(), one.size);
    return one;
}

std::string text_of(const message& one) { return {one.text, std::min<std::size_t>(one.size, message::text_size)}; }

// Packets: a message comes whole or not at all, whatever a worker that dies had begun to say.
channel::pair channel::make(error_code& ec) noexcept
{
    ec.clear();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        ec = last_error();
        return {};
    }
    return {channel(unique_fd(ends[0])), channel(unique_fd(ends[1]))};
}

void channel::send(const message& one, error_code& ec) const noexcept
{
    ec.clear();
    if (uninterrupted([&] { return ::send(end_.get(), &one, sizeof one, MSG_NOSIGNAL | MSG_DONTWAIT); }) < 0) ec = last_error();
}

channel::arrival channel::receive(message& one) const noexcept
{
    for (;;) {
        const ssize_t size = uninterrupted([&] { return ::recv(end_.get(), &one, sizeof one, MSG_DONTWAIT); });
        if (size == static_cast<ssize_t>(sizeof one)) return arrival::message;
        if (size == 0) return arrival::end;
        if (size < 0) return errno == EAGAIN ? arrival::nothing : arrival::end;
    }
}

} // namespace sharedsock::prefork::detail
