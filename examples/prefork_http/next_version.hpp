// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <string>
#include <vector>

#include <signal.h>
#include <sys/types.h>

namespace prefork_http {

/// The program that is installed under the name of this one, and the process that runs it for an upgrade.
class next_version {
public:
    /// Notes the name of this program's file, and the signals that are blocked: call it before any is.
    next_version();
    ~next_version();
    next_version(const next_version&)            = delete;
    next_version& operator=(const next_version&) = delete;

    /// Throws std::system_error if it cannot be executed. One at a time: nothing happens if one runs.
    void start(std::vector<std::string> arguments);
    bool has_ended();                                      ///< the process that was started; true once
    void kill();                                           ///< and reaps
    void let_go() noexcept;                                ///< it goes on without this process
    int native_handle() const noexcept { return handle_; } ///< readable when it has ended; -1: none runs

private:
    std::string path_;
    sigset_t mask_{};
    pid_t pid_  = 0;
    int handle_ = -1;
};

} // namespace prefork_http
