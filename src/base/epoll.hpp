// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

#include <sys/epoll.h>

namespace sharedsock::detail {

/// epoll_ctl(2) with an entry for `descriptor`. False: errno says why not.
inline bool control_epoll(int epoll, int operation, int descriptor, std::uint32_t events, std::uint64_t data) noexcept
{
    epoll_event event{};
    event.events   = events;
    event.data.u64 = data;
    return ::epoll_ctl(epoll, operation, descriptor, &event) == 0;
}

/// Adds an entry that reports `data`.
inline bool add_to_epoll(int epoll, int descriptor, std::uint32_t events, std::uint64_t data = 0) noexcept
{
    return control_epoll(epoll, EPOLL_CTL_ADD, descriptor, events, data);
}

/// The data of an entry that is read as `epoll_event::data.fd`.
inline std::uint64_t mark_of(int descriptor) noexcept
{
    epoll_event event{};
    event.data.fd = descriptor;
    return event.data.u64;
}

/// Gives the entry that the descriptor has other events and other data.
inline bool change_in_epoll(int epoll, int descriptor, std::uint32_t events, std::uint64_t data = 0) noexcept
{
    return control_epoll(epoll, EPOLL_CTL_MOD, descriptor, events, data);
}

} // namespace sharedsock::detail
