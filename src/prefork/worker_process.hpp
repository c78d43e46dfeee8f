// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "prefork/channel.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/status.hpp>

#include <optional>
#include <string>

#include <sys/types.h>

namespace sharedsock::prefork::detail {

/// What belongs to a seat of the crew: its process, while it has one, and what is known of the last that it had.
struct hand {
    pid_t pid = 0; // 0: no process
    sharedsock::detail::unique_fd process;
    channel link;
    process_id who;
    std::optional<exit_status> last_exit;
    error_code failure;
    error_code not_started; // of its last start, if the kernel refused what that takes
    std::string reason;

    void signal(int number) const noexcept; ///< nothing where there is no process, or a dead one
    /// Its exit status once it is dead, which is taken from the kernel; else nothing. `options`: WNOHANG, or waits.
    std::optional<exit_status> collect(int options) const noexcept;
    bool is_our_child() const noexcept;
    void let_go() noexcept; ///< of the process and of the link to it. @pre nothing watches them any more
};

} // namespace sharedsock::prefork::detail
