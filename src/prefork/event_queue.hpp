// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "prefork/crew.hpp"

#include <sharedsock/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sharedsock::prefork::detail {

using sharedsock::detail::unique_fd;

/// The events that a supervisor waits for, in one epoll: its signals, its workers' messages and deaths, and the time.
class event_queue {
public:
    enum class source : std::uint8_t { signals, channel, death, timer };
    /// The subject of an event. The worker's generation tells an event of a worker that has gone apart.
    struct event {
        source what              = source::timer;
        std::size_t place        = 0;
        std::uint32_t generation = 0;
    };

    event_queue(); ///< throws `system_error`

    int native_handle() const noexcept { return epoll_.get(); } ///< readable when `take` has something

    /// Adds it level-triggered, and for all that can happen to it, so that an event that is not seen now is seen later.
    void add(int descriptor, const event& about, error_code& ec) const noexcept;
    /// To be called before the descriptor is closed: a child that has inherited it would keep the entry alive.
    void remove(int descriptor) const noexcept;
    void wake_at(time_point when) const noexcept; ///< `never`: no wake-up

    using batch = std::array<event, 64>;
    /// The events that have come, as a part of `room`.
    std::span<const event> take(batch& room) const noexcept;
    void wait(time_point limit) const noexcept; ///< until an event comes; EINTR ends it as well

    /// Whether its descriptors are still its own, and other code has not closed them; one system call.
    bool is_ours() const noexcept;
    /// After a doubt: vouches for a descriptor that was added, if it still is the same. `prove_own` does so for the queue's own.
    bool prove(unique_fd& descriptor, const event& about) const noexcept;
    void prove_own() noexcept;

    void close() noexcept; ///< in a child that has inherited the queue

private:
    unique_fd epoll_;
    unique_fd timer_;
};

} // namespace sharedsock::prefork::detail
