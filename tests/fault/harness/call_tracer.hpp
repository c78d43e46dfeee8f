// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// Stops a process before and after each system call of one operation; there it can be killed, or the call can fail.

#include <array>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace test {

struct system_call {
    std::uint64_t number = 0;
    std::array<std::uint64_t, 6> arguments{};
    std::string file; ///< the file of the first argument, if that is a descriptor: as in /proc/PID/fd
};

/// The operation begins and ends with a SIGUSR1 that the process raises and ignores.
class call_tracer {
public:
    /// `in_child`: the process that it forks there is traced, and the end is that one's SIGUSR1.
    call_tracer(pid_t process, bool in_child);
    ~call_tracer(); ///< lets the process go
    call_tracer(const call_tracer&) = delete;

    enum class stop : std::uint8_t { entry, exit, over };
    /// Runs to the next stop. The first one comes when the process has been told to begin.
    stop next();

    system_call call() const; ///< at an entry
    /// At an entry: the call is not made and fails with `error`, or is made and fails all the same. Runs to its exit.
    void fail_with(int error, bool made);
    void kill(); ///< by SIGKILL; its parent may reap it
    void let_go();

private:
    void follow_child();

    pid_t process_;
    const bool in_child_;
    bool traced_ = true, stopped_ = false, counting_ = false;
};

/// Whether calls can be made to fail on this machine and in this build.
bool can_fail_calls();

} // namespace test
