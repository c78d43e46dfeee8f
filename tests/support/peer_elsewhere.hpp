// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// A peer in a pid namespace of its own, in which it has the pid 1. /proc stays the outer one's.
#pragma once

#include "support/child_process.hpp"

#include <csignal>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace test {

/// As `peer`. A pid namespace needs root: where there may be none `possible` is false, and nothing else may be called.
class peer_elsewhere {
public:
    explicit peer_elsewhere(const std::string& segment_name) : process_("peer in a pid namespace of its own", {segment_name})
    {
        const std::string answer = process_.line();
        if (answer == "may not") return;
        pid_ = std::stoi(answer);
        process_.wait_for("ready");
    }

    bool possible() const noexcept { return pid_ != 0; }
    pid_t pid() const noexcept { return pid_; } ///< as this process has it
    std::string ask(std::string_view command) { return process_.ask(command); }
    /// SIGKILL; returns when the process is no more.
    void end()
    {
        ::kill(pid_, SIGKILL);
        process_.wait();
    }

private:
    child_process process_;
    pid_t pid_ = 0;
};

} // namespace test
