// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/options.hpp>

#include <csignal>
#include <optional>

namespace sharedsock::prefork::detail {

using sharedsock::detail::unique_fd;

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

    int native_handle() const noexcept { return events_.get(); }
    sigset_t mask_before() const noexcept; ///< the calling thread's, without the signals taken here

private:
    unique_fd events_;
    sigset_t before_{};
};

} // namespace sharedsock::prefork::detail
