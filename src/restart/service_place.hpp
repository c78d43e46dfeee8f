// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/restart/options.hpp>

#include <string>
#include <string_view>

#include <sys/types.h>

namespace sharedsock::restart::detail {

using sharedsock::detail::unique_fd;

/// The directory of a service: the lock file, and the socket through which the next generation comes.
///
/// One rule: *the service belongs to the processes that hold flock(2) on the file that the name "lock" leads to.* The kernel takes
/// the lock back from a dead process. During an upgrade two have it, because the lock belongs to the open file and the
/// predecessor sends that to its successor. Only a holder binds, renames or removes names here.
class service_place {
public:
    static constexpr int backlog = 16; ///< processes that connect at the same time; others try again

    service_place() noexcept = default;
    /// Opens the directory, and makes it if there is none. `errc::bad_service_name`, `errc::foreign_service`.
    static service_place open(std::string_view name, const options& how, error_code& ec);

    /// The lock file, if no process had the lock; then this one has it. Nothing without an error: a live process has it, or the
    /// directory was removed meanwhile: open it anew.
    unique_fd try_lock(error_code& ec) const;
    /// The socket of the service, in place of one that a dead process has left. @pre the lock is held
    unique_fd bind(error_code& ec) const;
    /// A connection to the generation that serves. Nothing without an error: it has ended, or does not listen yet.
    unique_fd connect(error_code& ec) const;
    /// The process at the other end may be a generation of this service: `errc::foreign_service`. Its pid, as the kernel says.
    pid_t check_peer(int connection, error_code& ec) const;

    /// A new lock file and a new socket take the place of those that a successor has got: it cannot serve by them any more.
    void renew(unique_fd& lock, unique_fd& listener, error_code& ec) const;
    /// Removes everything. @pre the lock is held, and no other process has it
    void remove() const noexcept;

    const std::string& path() const noexcept { return path_; } ///< of the directory; for people
    explicit operator bool() const noexcept { return static_cast<bool>(directory_); }
    void close() noexcept { directory_.reset(); }

private:
    unique_fd make_lock(const char* name, error_code& ec) const;
    unique_fd make_listener(error_code& ec) const;
    void rename(const char* from, const char* to, error_code& ec) const;
    void give_to_owner(const char* name, error_code& ec) const;
    bool leads_to(const char* name, int file) const noexcept;
    error_code failed(const char* call, const error_code& ec, const char* name) const noexcept;

    unique_fd directory_;
    std::string path_;
    uid_t owner_ = 0;
};

} // namespace sharedsock::restart::detail
