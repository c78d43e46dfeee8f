// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "prefork/respawn_policy.hpp"

#include <chrono>

namespace sharedsock::prefork::detail {

/// Tells a second request to stop from a signal that comes twice: timeout(1) sends one to the process and to its group, a shell may
/// send SIGTERM after a terminal's SIGINT.
class stop_requests {
public:
    enum class meaning { stop, repeated, stop_now };

    /// Of a signal that came now. `is_stopping`: whether a signal asked for a stop that is under way.
    meaning note(time_point now, bool is_stopping, std::chrono::nanoseconds one_request) noexcept
    {
        if (first_ == time_point{} || !is_stopping) {
            first_ = now;
            return meaning::stop;
        }
        return now - first_ < one_request ? meaning::repeated : meaning::stop_now;
    }

private:
    time_point first_{};
};

} // namespace sharedsock::prefork::detail
