// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/segment_directory.hpp"

#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "base/random.hpp"
#include "base/syscall.hpp"

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

std::string temporary_name(error_code& ec)
{
    std::uint8_t random[8]{};
    fill_random(std::as_writable_bytes(std::span(random)), ec);
    return temporary_prefix() + to_hex(random);
}

// Fails if there is an entry of the new name. The C library's renameat2 hides that a filter denies the call: it fails with EINVAL.
int rename_into_nothing(int place, const std::string& from, const std::string& to) noexcept
{
    return static_cast<int>(::syscall(SYS_renameat2, place, from.c_str(), place, to.c_str(), RENAME_NOREPLACE));
}

} // namespace

segment_directory::segment_directory(const std::string& path, std::chrono::nanoseconds patience, error_code& ec)
    : directory_(new_fd::open(path.c_str(), open_directory)), mark_(directory_.get()), patience_(patience)
{
    ec.clear();
    if (!directory_) ec = errno == ENOENT ? make_error_code(errc::directory_not_found) : last_error(sys<"openat">);
}

unique_fd segment_directory::enter(const std::string& entry, error_code& ec) const
{
    ec = {};
    struct stat status;
    if (::fstatat(native_handle(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        ec = errno == ENOENT ? make_error_code(errc::segment_not_found) : last_error(sys<"newfstatat">);
    } else if (status.st_uid != ::geteuid()) {
        ec = errc::foreign_segment;
    } else if (!S_ISDIR(status.st_mode)) {
        ec = errc::not_a_segment;
    }
    if (ec) {
        return {};
    }
    unique_fd directory = new_fd::open_at(native_handle(), entry.c_str(), open_directory | O_NOFOLLOW);
    struct stat opened;
    if (!directory || ::fstat(directory.get(), &opened) != 0) {
        ec = errno == ENOENT ? make_error_code(errc::segment_not_found) : last_error(directory ? sys<"newfstatat"> : sys<"openat">);
    } else if (opened.st_uid != ::geteuid()) { // replaced since the check
        ec = errc::foreign_segment;
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
            S_ISDIR(status.st_mode) && status.st_uid == ::geteuid()) {
            found.push_back(name.substr(prefix.size()));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

void segment_directory::remove(const std::string& entry, int directory, error_code& ec) const
{
    const std::string aside = temporary_name(ec);
    if (ec) {
        return;
    }
    if (rename_into_nothing(native_handle(), entry, aside) != 0) {
        ec = entry_error(sys<"renameat2">);
        return;
    }
    erase(aside, directory, ec);
}

void segment_directory::erase(const std::string& entry, int directory, error_code& ec) const
{
    // An attached process may be making its doorbell just now: look again while there is something new.
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        for (const std::string& name : entries_of(directory, ec)) {
            ::unlinkat(directory, name.c_str(), 0);
        }
        if (ec) {
            return;
        }
        if (::unlinkat(native_handle(), entry.c_str(), AT_REMOVEDIR) == 0) {
            return;
        }
        ec = entry_error(sys<"unlinkat">);
    }
}

void segment_directory::remove_leftovers() const
{
    error_code ignored; // creating a segment must not fail because cleaning up does
    for (const std::string& rest : find(temporary_prefix(), ignored)) {
        const std::string entry = temporary_prefix() + rest;
        error_code ec;
        const unique_fd directory = enter(entry, ec);
        if (ec) {
            continue;
        }
        const directory_lock lock(directory.get(), directory_lock::kind::exclusive, {}, ec);
        if (!ec && leads_to(entry, directory.get(), ec)) {
            erase(entry, directory.get(), ec);
        }
    }
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
    entry_          = temporary_name(ec);
    const int place = place_.native_handle();
    if (ec) {
        return false;
    }
    if (::mkdirat(place, entry_.c_str(), 0700) != 0) {
        ec = entry_error(sys<"mkdirat">);
        return false;
    }
    ::fchmodat(place, entry_.c_str(), 0700, 0); // sets the mode that the umask may have cut
    directory_ = place_.enter(entry_, ec);
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
    const int place = place_.native_handle();
    if (rename_into_nothing(place, entry_, entry) != 0) {
        ec = entry_error(sys<"renameat2">);
        return {};
    }
    ec = {};
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
        ec = last_error(sys<"newfstatat">);
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

std::string entry_prefix() { return "sharedsock." + std::to_string(::geteuid()) + '.'; }

std::string temporary_prefix() { return '.' + entry_prefix(); }

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
