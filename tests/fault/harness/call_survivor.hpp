// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The process that goes on after another one was killed in a public operation, or had a public operation that failed.

#include "fault/operations/public_operations.hpp"
#include "support/child_process.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace test {

/// Has a directory of its own: the other process has left all that is left in it.
class call_survivor {
public:
    call_survivor();

    std::string directory() const { return files_.path(); }

    /// A new process that stands where the operation begins. `failing_allocation`: which of its next allocations fails; 0: none.
    child_process prepare(const std::string& operation, std::size_t failing_allocation = 0);
    /// A ticket for a process that runs operations of its own. Ends the records that earlier ones have left with the survivor.
    std::string next_ticket(pid_t target);
    /// After the end of the process: its records are swept, the audit is clean, nothing is left, and the survivor takes over.
    void check();

private:
    void end_what_waits();
    void take_over();
    void check_files();

    scratch_directory files_;
    const sharedsock::segment_options options_ = options_in(files_.path());
    sharedsock::segment home_;
    connection pair_;
    sharedsock::event_object event_;
    std::shared_ptr<void> serving_;
    sharedsock::ticket given_;
};

} // namespace test
