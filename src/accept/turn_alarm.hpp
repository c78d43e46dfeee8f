// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "member/death_watch.hpp"

#include <chrono>
#include <cstdint>

namespace sharedsock::detail {

/// The wake-ups of an acceptor besides connections: the deaths of the other holders, and the time of the patrol.
class turn_alarm {
public:
    turn_alarm() = default;
    ~turn_alarm();

    /// `patrol`: 0 for none.
    void open(std::chrono::milliseconds patrol, error_code& ec);
    int native_handle() const noexcept { return epoll_.get(); } ///< readable when there is something to `answer`

    /// Watches the present holders of `socket`.
    void watch(membership& self, std::uint32_t socket) { deaths_.watch_holders(self, socket); }
    void answer(membership& self) noexcept; ///< sweeps dead holders

    /// In a forked child, where no other thread has been in this object: closes what it shares with the parent. Frees no memory:
    /// `before_fork` does, or `open`.
    void abandon() noexcept;
    void before_fork() noexcept { free_abandoned(); }

private:
    void free_abandoned() noexcept;
    void prove() noexcept;

    unique_fd epoll_; // holds the two others
    unique_fd timer_;
    death_watch deaths_;
};

} // namespace sharedsock::detail
