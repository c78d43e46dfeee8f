// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

#include <sys/epoll.h>

/// How a mailbox's epoll watches the listener and the connections.
namespace sharedsock::detail {

/// The data that epoll_wait(2) returns for the descriptor.
inline std::uint64_t mark_of(int descriptor) noexcept
{
    epoll_event event{};
    event.data.fd = descriptor;
    return event.data.u64;
}

/// Watches the descriptor for data to read. False if there is no memory for it.
inline bool watch(int epoll, int descriptor) noexcept
{
    epoll_event event{};
    event.events  = EPOLLIN;
    event.data.fd = descriptor;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

} // namespace sharedsock::detail
