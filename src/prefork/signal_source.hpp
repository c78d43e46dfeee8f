// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/options.hpp>

#include <csignal>
#include <optional>

namespace sharedsock::prefork::detail {

using sharedsock::detail::unique_fd;

/// The signals of a worker, from its start on.
struct worker_signals {
    sigset_t mask{};
    bool are_requests = false; ///< whether it takes `stop_signals`, as far as they are blocked, as a request to drain
};

/// SIGTERM, SIGINT and SIGQUIT, as far as the calling thread blocks them.
sigset_t blocked_stop_signals() noexcept;

/// Signals that are read instead of handled. They are blocked in the thread that opens the source; its end restores the mask.
class signal_source {
public:
    signal_source() noexcept = default;
    ~signal_source();
    signal_source(const signal_source&)            = delete;
    signal_source& operator=(const signal_source&) = delete;

    void open(const signal_set& which, error_code& ec) noexcept;
    /// In a forked child: closes the descriptor, and restores nothing.
    void abandon() noexcept;

    std::optional<int> next() noexcept; ///< a signal that has come
    /// Reads the signals that have come, and forgets them: the end of this object would let them take their former effect.
    void discard() noexcept;

    int native_handle() const noexcept { return events_.get(); }
    const signal_set& taken() const noexcept { return which_; }

    worker_signals for_programs() const noexcept;
    worker_signals for_workers() const noexcept; ///< for those that cooperate

private:
    unique_fd events_;
    signal_set which_{.stop = false, .roll = false, .count = false, .workers = false};
    sigset_t before_{};
    sigset_t wanted_{};
};

} // namespace sharedsock::prefork::detail
