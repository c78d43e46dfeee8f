// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <string>

namespace sharedsock::prefork::detail {

/// The path of a program to execute. "/proc/self/exe" leads to the file that this process runs, even when an upgrade has replaced
/// it; this object keeps the name that the file had when it was made.
class program_path {
public:
    explicit program_path(std::string given);

    /// The path for execve(2) now. If the kept name leads to no file, the file that this process runs.
    std::string to_execute() const;

private:
    std::string given_;
    std::string name_; // empty: as given
};

/// The name in the target of the link /proc/self/exe: the kernel says " (deleted)" after that of a file that has been replaced.
std::string name_in_link(std::string target);

} // namespace sharedsock::prefork::detail
