// Kills a process after each machine instruction, and at each system call, of an operation.
#pragma once

#include "fault/operations/operations.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace test {

struct step_options {
    std::size_t most_points = ~std::size_t{0}; ///< an operation with more points is killed after this many of them only
    std::uint32_t seed      = 1;               ///< chooses these points
    bool first_finding      = false;           ///< end with the first finding
};

/// The result for one operation.
struct step_report {
    std::string name;
    std::size_t instructions = 0;
    std::size_t system_calls = 0; ///< their beginnings and ends
    std::size_t kills        = 0;
    std::size_t stepped      = 0; ///< points that were reached by counting steps
    std::chrono::nanoseconds time{};

    struct finding {
        std::size_t count = 0;
        std::string first; ///< where it was found
    };
    std::map<std::string, finding> findings; ///< by the broken invariant

    std::string line() const; ///< as a row of a table
};

/// The actor runs once under PTRACE_SINGLESTEP: that gives the trace of its instructions. Then, for each point of the trace,
/// a new actor runs freely up to there (a breakpoint at that instruction, and how many times it is to be passed), is killed
/// by SIGKILL, and the survivor has to recover and to go on. The same again for each stop at a system call.
step_report step_through(const operation& what, const step_options& options);

/// Whether this machine and this build can single-step a process.
bool can_step();

} // namespace test
