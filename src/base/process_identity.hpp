// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// Which process is meant. A pid alone does not say it: each pid namespace counts its own, and uses a number again.
///
/// A process that is in the segment is known by the kernel's lock on its byte (liveness_lock), and needs none of this. It is for a
/// process that has not attached yet, and for people.
struct process_identity {
    std::int32_t pid            = 0; ///< as the process itself has it, in its own pid namespace
    std::uint64_t pid_namespace = 0; ///< its inode; 0: not known, and like no other
    std::uint64_t start_time    = 0; ///< clock ticks after boot, field 22 of proc(5) stat; 0: not known, and like no other

    bool known() const noexcept { return pid > 0 && pid_namespace != 0 && start_time != 0; }
    /// Namespace and start time in one number, for the record of a ticket. Never 0 if they are known.
    std::uint64_t stamp() const noexcept;
};

/// The identity of this process. A field that cannot be read is 0, and errno says why.
process_identity this_process() noexcept;
/// The inode of this process's pid namespace; 0 if it cannot be read.
std::uint64_t own_pid_namespace() noexcept;

/// Another process, as /proc shows it to this one.
struct seen_process {
    process_identity identity;
    std::int32_t proc_pid = 0; ///< its directory in /proc, which may be mounted for another pid namespace than this process's
};
/// The process that this pid namespace calls `pid`. `errc::target_gone`: there is none. An error of the kernel: /proc does not say,
/// because it is missing, belongs to another pid namespace while pidfd_open(2) is denied, or hides that process.
seen_process process_called(std::int32_t pid, error_code& ec) noexcept;
/// Whether that process still runs, as far as this process can see.
bool still_runs(const seen_process& who) noexcept;
/// Whether the process with that pid and stamp in that namespace certainly runs no more. False for one that this process cannot
/// see.
bool has_ended(std::int32_t pid, std::uint64_t pid_namespace, std::uint64_t stamp) noexcept;

} // namespace sharedsock::detail
