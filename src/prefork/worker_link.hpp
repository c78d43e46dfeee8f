// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "prefork/appearance.hpp"
#include "prefork/channel.hpp"
#include "prefork/load_table.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/options.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace sharedsock::prefork::detail {

/// The name of the variable that tells an executed worker what it has inherited: the descriptors of its channel, of its
/// parent (a pidfd) and of the loads; its place, its generation, and the signal that it wants when its parent dies; then whether
/// the stop signals that are blocked are requests to drain, and the watchdog's limit in nanoseconds. A supervisor of an older
/// version does not write the last two.
inline constexpr const char* worker_variable = "SHAREDSOCK_PREFORK_WORKER";

/// Has the kernel send `signal` to this process when the thread of its parent that started it ends; at once if it has ended.
/// `parent`: its pidfd.
void die_with_parent(int signal, int parent, error_code& ec) noexcept;

/// The descriptors and numbers that a worker gets from its parent.
struct worker_gift {
    channel link;
    unique_fd parent; ///< pidfd
    load_table loads;
    std::size_t place                 = 0;
    std::uint32_t generation          = 0;
    bool signals_are_requests         = false;    ///< those of `blocked_stop_signals`
    std::chrono::nanoseconds watchdog = for_ever; ///< the supervisor's limit
};

/// A number from 0 to `most` for one worker. Of successive places they are spread evenly, however many places there are.
std::uint64_t jitter_of(std::size_t place, std::uint32_t generation, std::uint64_t most) noexcept;

/// The implementation of `worker`.
class worker_link {
public:
    explicit worker_link(worker_gift gift) noexcept : gift_(std::move(gift)) {}

    void open(error_code& ec) noexcept; ///< before all other calls

    void say_ready(error_code& ec) noexcept;
    void retire(error_code& ec) noexcept;
    void beat() noexcept { gift_.loads.beats(gift_.place).fetch_add(1, std::memory_order_relaxed); }
    std::chrono::nanoseconds watchdog() const noexcept { return gift_.watchdog; }
    void appear_in(const segment& where, error_code& ec);
    void set_load(std::uint32_t load);

    bool look() noexcept; ///< whether to drain
    void wait() noexcept; ///< until `look` may have changed
    bool parent_gone() const noexcept { return parent_gone_; }

    std::size_t place() const noexcept { return gift_.place; }
    std::uint32_t generation() const noexcept { return gift_.generation; }
    int native_handle() const noexcept { return events_.get(); }

private:
    void listen() noexcept;
    void answer_signals() noexcept;
    void say_state() const noexcept;

    worker_gift gift_;
    unique_fd signals_; // signalfd of the stop signals, if they are requests
    unique_fd events_;  // epoll of the channel, of the parent's death and of the signals
    appearance appearance_;
    bool ready_       = false;
    bool wants_       = false; // a successor
    bool told_wants_  = false;
    bool draining_    = false;
    bool parent_gone_ = false;
};

} // namespace sharedsock::prefork::detail
