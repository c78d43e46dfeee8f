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

/// A seat's process, while it has one, and the facts about the last process that it had.
struct worker_process {
    pid_t pid = 0; // 0: no process
    sharedsock::detail::unique_fd process;
    channel link;
    process_id who;
    std::optional<exit_status> last_exit;
    error_code failure;
    error_code not_started; // the error of its last start, if a system call for it failed
    std::string reason;

    void signal(int number) const noexcept; ///< does nothing if the process is dead, or there is none
    /// Takes the exit status of the dead process from the kernel; nothing while it lives. `options`: WNOHANG; else it waits.
    std::optional<exit_status> collect(int options) const noexcept;
    bool is_our_child() const noexcept;
    bool is_stopped() const noexcept; ///< by SIGSTOP, a terminal or a debugger. One system call
    void let_go() noexcept;           ///< of the process and its link. @pre no event queue watches them
};

} // namespace sharedsock::prefork::detail
