// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/segment_directory.hpp"

#include "base/denied.hpp"
#include "base/failure_note.hpp"
#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "base/random.hpp"
#include "base/syscall.hpp"
#include "store/liveness_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr int open_directory = O_RDONLY | O_DIRECTORY;
constexpr int most_attempts  = 16; // against other processes that are always faster

// The error of a call that has just failed on `name` in an open directory, with the object in the note. `missing`: the error if
// nothing has that name.
error_code failure_of(const call_category& call, int directory, const std::string& name, error_code missing = {}) noexcept
{
    const error_code ec = errno == EACCES              ? make_error_code(errc::access_denied)
                          : errno == ENOENT && missing ? missing
                                                       : entry_error(call);
    note_failure(ec, call.call(), directory, name.c_str());
    return ec;
}

// Fails if there is an entry of the new name. The C library's renameat2 hides that a filter denies the call: it fails with EINVAL.
int rename_into_nothing(int place, const std::string& from, const std::string& to) noexcept
{
    return static_cast<int>(::syscall(SYS_renameat2, place, from.c_str(), place, to.c_str(), RENAME_NOREPLACE));
}

// Whether this process's user alone can have put anything into the directory. Where the segment is made for another user, that user
// may own the directory around it, and move another one of this process's user to its place.
bool is_untouched(int directory)
{
    struct stat status;
    error_code ec;
    return ::fstat(directory, &status) == 0 && status.st_uid == ::geteuid() && entries_of(directory, ec).empty() && !ec;
}

// Files that processes make meanwhile are left: the caller looks again.
void empty(int directory, error_code& ec)
{
    for (const std::string& name : entries_of(directory, ec)) {
        if (::unlinkat(directory, name.c_str(), 0) == 0 || errno != EISDIR) {
            continue;
        }
        const unique_fd below = new_fd::open_at(directory, name.c_str(), open_directory | O_NOFOLLOW);
        error_code ignored; // then the directory that holds it cannot be removed, and its caller says so
        if (below) {
            for (const std::string& inner : entries_of(below.get(), ignored)) {
                ::unlinkat(below.get(), inner.c_str(), 0);
            }
        }
        ::unlinkat(directory, name.c_str(), AT_REMOVEDIR);
    }
}

} // namespace

segment_directory::segment_directory(const std::string& path, std::chrono::nanoseconds patience, error_code& ec,
                                     const file_access& whose)
    : directory_(new_fd::open(path.c_str(), open_directory)), mark_(directory_.get()), patience_(patience), whose_(whose)
{
    ec.clear();
    if (!directory_) ec = failure_of(sys<"openat">, AT_FDCWD, path, errc::directory_not_found);
}

unique_fd segment_directory::enter(const std::string& entry, error_code& ec) const
{
    ec               = {};
    const auto judge = [&](const struct stat& status) {
        if (status.st_uid != whose_.owner && status.st_uid != ::geteuid()) { // this process's own: not given to the owner yet
            ec = errc::foreign_segment;
        } else if (!S_ISDIR(status.st_mode)) {
            ec = errc::not_a_segment;
        }
    };
    struct stat status;
    unique_fd directory = new_fd::open_at(native_handle(), entry.c_str(), open_directory | O_NOFOLLOW);
    const int error     = errno;
    // If it cannot be opened, it may be something else, or another user's.
    const bool is_seen = directory ? ::fstat(directory.get(), &status) == 0
                                   : ::fstatat(native_handle(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_seen) {
        judge(status);
    } else if (directory) {
        ec = failure_of(fstat_call, native_handle(), entry);
    }
    if (!directory && !ec) {
        errno = error;
        ec    = failure_of(sys<"openat">, native_handle(), entry, errc::segment_not_found);
    }
    return ec ? unique_fd() : std::move(directory);
}

bool segment_directory::leads_to(const std::string& entry, int directory, error_code& ec) const noexcept
{
    return is_name_of(native_handle(), entry.c_str(), directory, ec);
}

std::vector<std::string> segment_directory::find(const std::string& prefix, error_code& ec) const
{
    std::vector<std::string> found;
    for (const std::string& name : entries_of(native_handle(), ec)) {
        struct stat status;
        if (name.starts_with(prefix) && ::fstatat(native_handle(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode) && (status.st_uid == whose_.owner || status.st_uid == ::geteuid())) {
            found.push_back(name.substr(prefix.size()));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

void segment_directory::remove(const std::string& entry, int directory, bool keep, error_code& ec) const
{
    const std::string aside = temporary_name(ec);
    if (ec) {
        return;
    }
    if (rename_into_nothing(native_handle(), entry, aside) != 0) {
        if (errno == EPERM) { // by a filter, or for the entry of another user in a sticky directory
            errno = if_denied(sys<"renameat2">, rename_into_nothing(-1, entry, aside)) ? EPERM : EACCES;
        }
        ec = failure_of(sys<"renameat2">, native_handle(), entry);
    } else if (!keep) {
        erase(aside, directory, ec);
    }
}

void segment_directory::erase(const std::string& entry, int directory, error_code& ec) const
{
    // An attached process may be making its doorbell just now: look again while there is something new.
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        empty(directory, ec);
        if (ec) {
            return;
        }
        if (::unlinkat(native_handle(), entry.c_str(), AT_REMOVEDIR) == 0) {
            return;
        }
        ec = entry_error(sys<"unlinkat">);
    }
}

void segment_directory::remove_unused(const std::string& prefix) const
{
    error_code ignored; // creating a segment must not fail because cleaning up does
    for (const std::string& rest : find(prefix, ignored)) {
        const std::string entry = prefix + rest;
        error_code ec;
        const unique_fd directory = enter(entry, ec);
        if (ec) {
            continue;
        }
        const directory_lock lock(directory.get(), directory_lock::kind::exclusive, {}, ec);
        if (!ec && leads_to(entry, directory.get(), ec) && !any_process_in(directory.get())) {
            remove(entry, directory.get(), false, ec);
        }
    }
}

std::string segment_directory::entry_prefix() const { return detail::entry_prefix(whose_.owner); }

std::string segment_directory::temporary_prefix() const { return '.' + entry_prefix(); }

std::string segment_directory::temporary_name(error_code& ec) const
{
    std::uint8_t random[8]{};
    fill_random(std::as_writable_bytes(std::span(random)), ec);
    return temporary_prefix() + to_hex(random);
}

directory_lock::directory_lock(int directory, kind wanted, std::chrono::nanoseconds patience, error_code& ec) noexcept
{
    ec                  = {};
    const int operation = (wanted == kind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
    const auto start    = std::chrono::steady_clock::now();
    while (uninterrupted([&] { return ::flock(directory, operation); }) != 0) {
        if (errno != EWOULDBLOCK) {
            ec = last_error(sys<"flock">);
            return;
        }
        if (std::chrono::steady_clock::now() - start >= patience) {
            ec = errc::lock_timeout;
            return;
        }
        ::poll(nullptr, 0, 1); // flock(2) itself cannot be told how long to wait
    }
    directory_ = directory;
}

directory_lock::~directory_lock()
{
    if (directory_ >= 0) {
        ::flock(directory_, LOCK_UN);
    }
}

new_directory::new_directory(const segment_directory& place, error_code& ec) : place_(place)
{
    for (int attempt = 0; attempt < most_attempts && !make(ec); ++attempt) {
    }
}

// Between mkdir and flock another process may take the directory for a dead creator's and delete it; then this one retries.
bool new_directory::make(error_code& ec)
{
    entry_          = place_.temporary_name(ec);
    const int place = place_.native_handle();
    if (ec) {
        return false;
    }
    if (::mkdirat(place, entry_.c_str(), 0700) != 0) {
        ec = failure_of(sys<"mkdirat">, place, entry_);
        return false;
    }
    ::fchmodat(place, entry_.c_str(), 0700, AT_SYMLINK_NOFOLLOW); // sets the mode that the umask may have cut
    directory_ = place_.enter(entry_, ec);
    if (!ec && place_.whose().owner != ::geteuid() && !is_untouched(directory_.get())) {
        ec = errc::foreign_segment;
    }
    if (!ec) {
        lock_.emplace(directory_.get(), directory_lock::kind::exclusive, std::chrono::nanoseconds(0), ec);
    }
    if (!ec && !place_.leads_to(entry_, directory_.get(), ec) && !ec) {
        ec = errc::lock_timeout;
    }
    if (ec) {
        lock_.reset();
        directory_.reset();
        ::unlinkat(place, entry_.c_str(), AT_REMOVEDIR);
    }
    return !ec;
}

new_directory::~new_directory()
{
    if (directory_) {
        error_code ignored;
        place_.erase(entry_, directory_.get(), ignored);
    }
}

unique_fd new_directory::publish(const std::string& entry, error_code& ec)
{
    place_.whose().give(directory_.get(), place_.whose().directory_mode(), ec);
    if (ec) {
        return {};
    }
    const int place = place_.native_handle();
    if (rename_into_nothing(place, entry_, entry) != 0) {
        ec = entry_error(sys<"renameat2">);
        return {};
    }
    lock_.reset();
    return std::move(directory_);
}

bool is_name_of(int directory, const char* name, int file, error_code& ec) noexcept
{
    ec = {};
    struct stat named;
    struct stat opened;
    if (::fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) {
            ec = last_error(sys<"newfstatat">);
        }
        return false;
    }
    if (::fstat(file, &opened) != 0) {
        ec = last_error(fstat_call);
        return false;
    }
    return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

error_code entry_error(const call_category& call) noexcept
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
        return errc::directory_full;
    case EROFS:
        return errc::directory_read_only;
    default:
        return last_error(call);
    }
}

std::string entry_prefix(uid_t owner) { return "sharedsock." + std::to_string(owner) + '.'; }

std::string to_hex(std::span<const std::uint8_t> bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

} // namespace sharedsock::detail
