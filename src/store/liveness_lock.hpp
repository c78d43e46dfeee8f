// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace sharedsock::detail {

struct lock_file; // one of them, as this process has it open

/// Says which processes live: the kernel's record locks on the bytes of a segment's lock files, one byte for each process index.
///
/// Taking a byte *is* the allocation of the index: the kernel gives it back at any death, and only then. Of eight tokens of
/// life, this one alone was right under kill, zombie, SIGSTOP, fork, exec, re-used pids and pid namespaces (measured).
///
/// fcntl(2) locks have one weakness: any close(2) of the file in the same process drops them. So each lock file is opened
/// exactly once in a process, above all ordinary descriptor numbers, shared by all attachments (one of the two registries of this
/// library, G11), and not closed while the process holds a byte in it. A second description of the same file, used for judging,
/// sees the locks of this process as well (F_OFD_GETLK), and so notices a loss.
///
/// Threads: safe. fork(2): the child holds none of the parent's bytes, and knows it if the three functions at the end of this
/// file were called around the fork.
class liveness_lock {
public:
    /// Opens the lock files lazily below `directory`, which must stay open as long as the object lives. File names are
    /// "life.0", "life.1", …, each with `processes_per_liveness_file` bytes; `segment_file` makes them with the directory.
    static std::shared_ptr<liveness_lock> open(int directory, std::uint32_t processes);

    liveness_lock(int directory, std::uint32_t processes);
    liveness_lock(const liveness_lock&)            = delete;
    liveness_lock& operator=(const liveness_lock&) = delete;
    ~liveness_lock(); ///< gives back every byte that was taken through this object

    /// Opens all of them now: from here on neither the process's credentials nor the files' names matter. `paths_lost`: one has no
    /// name any more. It must not be made anew: the processes that live hold bytes of the one that had the name.
    void open_files(error_code& ec) noexcept;

    /// Takes the byte of `index`; false if any process holds it. The kernel's lock keeps out other processes only; this object also
    /// refuses a byte that another thread of this process has taken.
    bool take(std::uint32_t index, error_code& ec);
    /// Takes a byte anew that was taken through this object: that cures a loss if no other process was faster.
    bool take_again(std::uint32_t index, error_code& ec);
    /// Gives the byte back; nothing if this object does not hold it.
    void give(std::uint32_t index) noexcept;
    /// Whether any process, this one included, holds the byte. In doubt (a failing system call) says yes: no process may be
    /// swept on a guess. False for an index that no process can have.
    bool held(std::uint32_t index) noexcept;
    /// The process that holds the byte, as a pid of this pid namespace. The kernel says it, so it is right where a pid in the
    /// segment is not: after the pid was used again, and for a holder in a child of this pid namespace.
    enum class holder_kind : std::uint8_t {
        nobody,
        process, ///< `pid` is its number here, and this process's own if another attachment of this process holds the byte
        hidden,  ///< a process for which this pid namespace has no number
    };
    struct byte_holder {
        holder_kind kind = holder_kind::nobody;
        pid_t pid        = 0;
    };
    byte_holder holder_of(std::uint32_t index) noexcept;
    /// Whether this process has lost the byte that was taken through this object: other code of the process closed the lock file
    /// or all descriptors, and the kernel dropped the lock. In doubt says no.
    bool lost(std::uint32_t index) noexcept;
    /// Whether this process's own view of that lock file is gone: other code has closed its descriptor. One fstat(2), so `lost`
    /// can be asked when it matters.
    bool cut_off(std::uint32_t index) noexcept;
    /// Whether any process, this one included, holds any byte: a system call or two for each lock file. In doubt says yes.
    bool any_held() noexcept;

private:
    struct place {
        lock_file* file;
        std::uint32_t byte;
    };
    place opened(std::uint32_t index) const noexcept;
    place reach(std::uint32_t index, error_code& ec) noexcept; // opens the file if it is not open yet
    bool holds(const place& at) const noexcept;                // the byte was taken through this object
    bool lock(lock_file& file, std::uint32_t byte, error_code& ec) noexcept;
    void release(lock_file& file, std::uint32_t byte) noexcept;
    void leave(lock_file& file) noexcept;

    const int directory_;
    const std::uint32_t processes_;
    std::vector<lock_file*> files_; // null until first used; guarded by the registry's mutex
};

/// Whether any process, this one included, holds a byte in the lock files of this directory, however many there are. In doubt says
/// yes.
bool any_process_in(int directory);

/// Names the lock file of a process index, without a path.
std::string liveness_file_name(std::uint32_t index);
/// How many lock files a segment for so many processes has.
std::uint32_t liveness_file_count(std::uint32_t processes) noexcept;

// The fork hook calls these three in this order. In between no lock file is opened, closed or locked; the child holds no byte.
void liveness_locks_before_fork();
void liveness_locks_after_fork_in_parent() noexcept;
void liveness_locks_after_fork_in_child() noexcept;
/// In a child of a raw clone(2), before it attaches to anything: a thread of the parent may have held the mutex.
void liveness_locks_after_raw_clone() noexcept;

} // namespace sharedsock::detail
