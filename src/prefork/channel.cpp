// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/channel.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::sys;
namespace new_fd = sharedsock::detail::new_fd;
using sharedsock::detail::uninterrupted;

message make_message(message::kind what, process_id who) noexcept
{
    message one{what};
    one.index      = who.index;
    one.generation = who.generation;
    return one;
}

message make_failure(std::string_view reason, int error) noexcept
{
    message one{message::kind::failed};
    one.index = static_cast<std::uint32_t>(error);
    one.size  = static_cast<std::uint32_t>(std::min(reason.size(), message::text_size));
    std::memcpy(one.text, reason.data(), one.size);
    return one;
}

error_code error_of(const message& one) noexcept
{
    return one.index != 0 ? error_code(static_cast<int>(one.index), boost::system::system_category()) : error_code();
}

std::string text_of(const message& one) { return {one.text, std::min<std::size_t>(one.size, message::text_size)}; }

// A socket of packets: a message comes whole or not at all, even if the worker dies while it sends.
channel::pair channel::make(error_code& ec) noexcept
{
    ec.clear();
    unique_fd parents, workers;
    if (!new_fd::pair(AF_UNIX, SOCK_SEQPACKET, parents, workers)) {
        ec = last_error(sys<"socketpair">);
        return {};
    }
    return {channel(std::move(parents)), channel(std::move(workers))};
}

void channel::send(const message& one, error_code& ec) const noexcept
{
    ec.clear();
    if (uninterrupted([&] { return ::send(end_.get(), &one, sizeof one, MSG_NOSIGNAL | MSG_DONTWAIT); }) < 0)
        ec = last_error(sys<"sendto">);
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
