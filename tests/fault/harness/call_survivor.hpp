// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The process that goes on when another was killed in a public operation, or had it fail.

#include "fault/operations/public_operations.hpp"
#include "support/child_process.hpp"

#include <memory>

namespace test {

/// Has a directory of its own: what is left in it was left by the other.
class call_survivor {
public:
    call_survivor();

    std::string directory() const { return files_.path(); }

    /// A new process that stands where the operation begins; `failing_allocation`: of those that follow, 0 for none.
    child_process prepare(const std::string& operation, std::size_t failing_allocation = 0);
    /// A ticket for a process that goes through operations of its own; ends what the ones before have left with the survivor.
    std::string next_ticket(pid_t target);
    /// The process has ended: what it left is swept, the audit is clean, nothing is left, and the survivor goes on and takes over.
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
