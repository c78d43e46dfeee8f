// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/segment.hpp>

#include <optional>

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct stat;

namespace sharedsock::detail {

/// The owner of the files of a segment, and the processes that may open them: `segment_options::owner` and `group`.
///
/// The segment's directory is the gate: mode 0700, or 0750 for a group, and its owner alone may change what is in it. The kernel
/// asks for the credentials of a process when that process passes the gate, to attach. The directory `ways` behind the gate is open
/// to all, and attached processes hold its descriptor: so they reach each other whatever becomes of their credentials.
struct file_access {
    uid_t owner = ::geteuid();
    std::optional<gid_t> group; ///< its processes may attach as well

    static file_access of(const segment_options& options);

    mode_t directory_mode() const noexcept { return group ? 0750 : 0700; }
    mode_t file_mode() const noexcept { return group ? 0660 : 0600; }

    /// `foreign_segment` unless a directory or a file behind the gate belongs to the owner, and lets in no process but those of
    /// the owner and of exactly this group.
    error_code check(const struct ::stat& status) const noexcept;
    /// Gives a file that this process has just made to the owner and the group, with this mode, whatever the umask was.
    /// `ownership_denied`.
    void give(int file, mode_t mode, error_code& ec) const noexcept;
};

inline constexpr mode_t ways_mode        = 0777; // of the directory behind the gate
inline constexpr mode_t file_in_ways     = 0666;
inline constexpr char ways_name[]        = "ways";
inline constexpr char common_bell_name[] = "bell.all";

} // namespace sharedsock::detail
