// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/file_access.hpp"

#include "base/failure_note.hpp"
#include "base/syscall.hpp"

#include <cerrno>

namespace sharedsock::detail {

file_access file_access::of(const segment_options& options)
{
    file_access wanted;
    if (options.owner) wanted.owner = *options.owner;
    wanted.group = options.group;
    return wanted;
}

error_code file_access::check(const struct ::stat& status) const noexcept
{
    const mode_t all  = S_ISDIR(status.st_mode) ? directory_mode() : file_mode();
    const mode_t mask = S_IRWXG | S_IRWXO;
    const bool good   = status.st_uid == owner && (status.st_mode & mask) == (all & mask) && (!group || status.st_gid == *group);
    return good ? error_code() : make_error_code(errc::foreign_segment);
}

void file_access::give(int file, mode_t mode, error_code& ec) const noexcept
{
    ec                 = {};
    const bool foreign = owner != ::geteuid();
    const gid_t no_gid = static_cast<gid_t>(-1);
    if ((foreign || group) && ::fchown(file, foreign ? owner : static_cast<uid_t>(-1), group.value_or(no_gid)) != 0) {
        ec = errno == EPERM ? make_error_code(errc::ownership_denied) : last_error(sys<"fchown">);
        note_failure(ec, "fchown", file, "");
    } else if (::fchmod(file, mode) != 0) {
        ec = last_error(sys<"fchmod">);
    }
}

} // namespace sharedsock::detail
