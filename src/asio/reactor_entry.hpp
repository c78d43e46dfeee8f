// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/build.hpp>

#include <cstdint>
#include <optional>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// The epoll instance in which Asio's reactor waits for a descriptor, and the data that epoll_wait(2) reports for it.
struct reactor_entry {
    int epoll;
    std::uint64_t data;
};

/// Takes a descriptor that was assigned to an Asio object out of the reactor's epoll, so that `turn_acceptor::stand_by` may put it
/// there with EPOLLEXCLUSIVE and the same data: then the object's `async_wait` completes when it is this process's turn. Asio has
/// no such flag, and another epoll inside the reactor's would not do: the kernel passes an exclusive wake-up on past an epoll that
/// no thread waits in directly, and all processes wake.
///
/// proc(5), /proc/self/fdinfo, tells what epolls hold. Returns nothing, and changes nothing, if that leaves a doubt: no proc file
/// system, another reactor than epoll, or two reactors that wait for the descriptor.
std::optional<reactor_entry> take_reactor_entry(int descriptor);

/// From one line of fdinfo, "tfd: 5 events: 8000201d data: 55d0c0 ...": the data, if it is about `descriptor` and edge-triggered
/// as Asio's are.
std::optional<std::uint64_t> data_in(const char* fdinfo_line, int descriptor) noexcept;

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
