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

/// What a supervisor waits for, in one epoll: its signals, its workers' messages and deaths, and the time.
class event_queue {
public:
    enum class source : std::uint8_t { signals, channel, death, timer };
    /// What an event is about. With the worker's generation, so that one of a worker that has gone is told apart.
    struct event {
        source what              = source::timer;
        std::size_t place        = 0;
        std::uint32_t generation = 0;
    };

    event_queue(); ///< throws `system_error`

    int native_handle() const noexcept { return epoll_.get(); } ///< readable when `take` has something

    /// Level-triggered, and for all that happens, so that what is not seen now is seen later.
    void add(int descriptor, const event& about, error_code& ec) const noexcept;
    /// Before it is closed: a child that has inherited it would keep the entry alive.
    void remove(int descriptor) const noexcept;
    void wake_at(time_point when) const noexcept; ///< `never`: no more

    using batch = std::array<event, 64>;
    /// What there is now, in `room`, which it is a part of.
    std::span<const event> take(batch& room) const noexcept;
    void wait(time_point limit) const noexcept; ///< until there is something; EINTR ends it as well

    /// Whether it still is what it was made as, and other code has not closed its descriptors; one system call.
    bool is_ours() const noexcept;
    /// After a doubt: vouches for a descriptor that was added, if it still is that.
    bool prove(unique_fd& descriptor, const event& about) const noexcept;
    void prove_own() noexcept; ///< likewise, for its own descriptors

    void close() noexcept; ///< in a child that has inherited it

private:
    unique_fd epoll_;
    unique_fd timer_;
};

} // namespace sharedsock::prefork::detail
