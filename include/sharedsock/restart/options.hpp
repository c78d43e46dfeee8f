// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <sys/types.h>

namespace sharedsock::restart {

/// How the generations of a service find each other, and how long they wait. All of a service name the same directory and owner.
struct options {
    /// Here the service has a directory of its own, "sharedsock-restart.<uid>.<name>", which its user alone may enter. A service of
    /// systemd may name its RuntimeDirectory=.
    std::string directory = "/dev/shm";
    /// The user whose service is meant; by default this process's. Processes of this user, of the owner and of root may succeed
    /// each other; others are refused.
    std::optional<uid_t> owner;
    /// How long `join` waits for the generation that serves to answer.
    std::chrono::nanoseconds patience = std::chrono::seconds(10);
    /// During an upgrade, whether `join` waits for its end, as long as `patience`; else it fails at once.
    bool wait_for_upgrade = false;

    // As predecessor.
    std::chrono::nanoseconds start_limit  = std::chrono::seconds(60);      ///< from `join` of a successor to its `ready`
    std::chrono::nanoseconds answer_limit = std::chrono::seconds(10);      ///< for the answer to a gift, and to `finish`
    std::chrono::nanoseconds give_limit   = std::chrono::minutes(5);       ///< from `ready` to `finish`: then `event::time_is_up`
    std::size_t window                    = 64;                            ///< most gifts without an answer
    std::size_t window_bytes              = std::size_t{32} * 1024 * 1024; ///< most bytes in them; one gift is always let through
};

} // namespace sharedsock::restart
