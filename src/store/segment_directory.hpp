// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/descriptor_proof.hpp"
#include "base/syscall.hpp"
#include "base/unique_fd.hpp"
#include "store/file_access.hpp"

#include <sharedsock/error.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>
#include <unistd.h>

namespace sharedsock::detail {

/// Where segments live (`segment_options::directory`), and how their own directories appear and vanish there.
///
/// One rule keeps creators, removers, attachers and the next creator's cleaning apart: *a process that renames or empties
/// a segment's directory holds an exclusive flock(2) on it, and has checked under that lock that the name still leads to it.*
/// The kernel takes the lock back from a dead process. So a directory under a temporary name that can be locked has lost its maker,
/// and a rename never hits a directory other than the one that was judged.
class segment_directory {
public:
    /// `patience`: how long to wait for such a lock. `whose`: the segments that are meant.
    segment_directory(const std::string& path, std::chrono::nanoseconds patience, error_code& ec, const file_access& whose = {});

    int native_handle() const noexcept { return directory_.get(); }
    const file_access& whose() const noexcept { return whose_; }
    /// Whether its descriptor still refers to the directory that was opened; if so it vouches for the descriptor.
    bool prove() noexcept { return mark_.prove(directory_); }
    std::chrono::nanoseconds patience() const noexcept { return patience_; }

    /// The directory called `entry`, if it is one and the owner's. `segment_not_found`, `not_a_segment`, `foreign_segment`,
    /// `access_denied`.
    unique_fd enter(const std::string& entry, error_code& ec) const;

    /// Whether `entry` is that directory. An error: the kernel does not say.
    bool leads_to(const std::string& entry, int directory, error_code& ec) const noexcept;

    /// The directories of the owner here whose names start with `prefix`: the rest of each name, sorted.
    std::vector<std::string> find(const std::string& prefix, error_code& ec) const;

    /// Puts a temporary name in the place of `entry`, so that no process can open it any more, and removes it with its content,
    /// unless processes are attached that `keep` their ways to each other.
    /// @pre the lock is held and `entry` leads to `directory`.
    void remove(const std::string& entry, int directory, bool keep, error_code& ec) const;

    /// Removes the directories whose names start with `prefix` and that no process uses: no process holds the lock, or a byte of
    /// the liveness lock. Under temporary names they come from dead creators and removers.
    void remove_unused(const std::string& prefix) const;

    /// Empties and removes a directory under a temporary name. @pre the lock is held.
    void erase(const std::string& entry, int directory, error_code& ec) const;

    std::string entry_prefix() const;     ///< "sharedsock.<uid of the owner>."
    std::string temporary_prefix() const; ///< ".sharedsock.<uid of the owner>."
    /// The temporary prefix with random digits. An error: there are none to be had.
    std::string temporary_name(error_code& ec) const;

private:
    unique_fd directory_;
    file_mark mark_;
    std::chrono::nanoseconds patience_;
    file_access whose_;
};

/// The lock of the rule of `segment_directory`. A process that takes it shared and lets it go at once waits for any rename of the
/// directory that is under way.
class directory_lock {
public:
    enum class kind { shared, exclusive };

    /// `errc::lock_timeout`: the holder is stopped or very slow.
    directory_lock(int directory, kind wanted, std::chrono::nanoseconds patience, error_code& ec) noexcept;
    directory_lock(const directory_lock&)            = delete;
    directory_lock& operator=(const directory_lock&) = delete;
    ~directory_lock(); ///< unlocks; closing would not do if another thread has forked meanwhile

private:
    int directory_ = -1; // -1: not locked
};

/// A segment's directory under construction: private to this process's user, locked, under a temporary name. The destructor removes
/// it unless it was published.
class new_directory {
public:
    new_directory(const segment_directory& place, error_code& ec);
    new_directory(const new_directory&)            = delete;
    new_directory& operator=(const new_directory&) = delete;
    ~new_directory();

    int native_handle() const noexcept { return directory_.get(); }

    /// Gives it to its owner, then its name in one step, and hands the descriptor out. `std::errc::file_exists`: the name is taken.
    unique_fd publish(const std::string& entry, error_code& ec);

private:
    bool make(error_code& ec);

    const segment_directory& place_;
    std::string entry_;
    unique_fd directory_;
    std::optional<directory_lock> lock_; // let go before directory_ closes
};

/// Whether `name` in `directory` is the open `file`. An error: the kernel does not say.
bool is_name_of(int directory, const char* name, int file, error_code& ec) noexcept;

/// The error of a call that makes, renames or removes an entry of a segment's directory or of the place of segments, and that has
/// just failed. `errc::directory_full`, `errc::directory_read_only`.
error_code entry_error(const call_category& call) noexcept;

/// "sharedsock.<uid>."
std::string entry_prefix(uid_t owner = ::geteuid());

std::string to_hex(std::span<const std::uint8_t> bytes);

} // namespace sharedsock::detail
