// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/new_fd.hpp"
#include "base/unique_fd.hpp"
#include "tables/socket_table.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

namespace sharedsock::detail {

/// Tells whether something has arrived at a socket since the last look, by an edge-triggered epoll instance. For AF_UNIX streams
/// with urgent data: poll(2) calls such a stream readable for as long as its queue holds the mark of a received urgent byte and
/// nothing else (measured, Linux 6.18), so a call that waits by poll(2) would turn without an end.
class arrivals {
public:
    static bool are_needed(const socket_slot& slot) noexcept
    {
        return slot.family == AF_UNIX && slot.type == SOCK_STREAM && (slot.flags.load() & flag_urgent) != 0;
    }

    /// Begins to watch. False if it has begun already, or if it cannot for want of descriptors or memory. It does not tell of
    /// earlier arrivals: the caller looks once more before it waits.
    bool begin(int socket) noexcept
    {
        if (epoll_ || failed_) return false;
        epoll_ = new_fd::epoll();
        epoll_event wanted{EPOLLIN | EPOLLRDHUP | EPOLLET, {}};
        if (!epoll_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &wanted) != 0) {
            epoll_.reset();
            failed_ = true;
            return false;
        }
        forget();
        return true;
    }

    /// Readable when something has arrived; -1 if nothing is watched.
    int descriptor() const noexcept { return epoll_.get(); }

    void forget() noexcept
    {
        epoll_event seen{};
        ::epoll_wait(epoll_.get(), &seen, 1, 0);
    }

private:
    unique_fd epoll_;
    bool failed_ = false;
};

} // namespace sharedsock::detail
