// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A service as it is deployed: a supervisor and its workers in a process group or session of their own, perhaps started by another
// program.
#pragma once

#include "support/deadline.hpp"
#include "support/line_channel.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace test {

/// The role "is a service" (service.cpp), run by this test binary. Each wait ends in an exception after `test::patience`.
///
/// It says "supervisor PID", "port N", then each change of a worker, "PLACE STATE GENERATION of PID", then "end: in order" or its
/// error, with which it exits with 1.
class service {
public:
    struct setting {
        std::string kind    = "forked";    ///< or "executed": as the default of `prefork::program` has it
        std::string options = "workers=1"; ///< of the supervisor (prefork_crew.hpp)
        /// Words: "alone": workers take no signals. "gate": a worker answers a client before it is ready, an executed one before it
        /// is a worker. "blocked": SIGTERM is blocked before the supervisor takes it. "subreaper", "pid-1": it gets
        /// orphans, the latter in a pid namespace of its own, if that is possible;
        /// "reaps": and reaps them.
        std::string how{};
        std::vector<std::string> by{}; ///< a program to start it by, with its arguments
        std::string program{};         ///< a copy of this test binary to run; none: this one
        std::string terminal{};        ///< to control the service's session; none: it gets a process group, and no session
    };

    explicit service(const setting& wanted);
    ~service(); ///< kills all of it
    service(const service&)            = delete;
    service& operator=(const service&) = delete;

    bool possible() const noexcept
    {
        return supervisor_ > 0;
    } ///< false: no pid namespace can be made, and nothing else may be called
    pid_t supervisor() const noexcept { return supervisor_; }
    pid_t started() const noexcept { return pid_; } ///< the program that was started: the supervisor, or the one to start it by
    std::uint16_t port() const noexcept { return port_; }

    void signal(int number) const;       ///< to the supervisor
    void signal_group(int number) const; ///< to every process of its group

    /// Reads lines up to one that begins so; returns the rest of it.
    std::string wait_for(const std::string& beginning) { return wait_for(beginning, beginning); }
    std::string wait_for(const std::string& beginning, const std::string& or_this);
    /// Waits for lines with these beginnings, in whatever order they come.
    void wait_for_all(std::vector<std::string> beginnings);
    /// Reads up to the line that tells of this state; returns the worker's pid.
    pid_t wait_for_worker(const std::string& place_state_generation)
    {
        return std::stoi(wait_for(place_state_generation + " of "));
    }
    bool has_said(const std::string& part) const; ///< in the lines that were read
    int wait();                                   ///< for the end of the program that was started: its code, or minus its signal

private:
    pid_t pid_        = -1;
    pid_t supervisor_ = -1; // 0: not possible
    pid_t group_      = -1;
    int channel_      = -1;
    line_channel lines_;
    std::vector<std::string> said_;
    bool reaped_        = false;
    std::uint16_t port_ = 0;
};

} // namespace test
