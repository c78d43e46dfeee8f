// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/ranked_mutex.hpp"
#include "base/unique_fd.hpp"
#include "member/membership.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include <sys/epoll.h>

namespace sharedsock::detail {

/// Notices deaths at once: one epoll of pidfds. A process that stands by watches those whose death could make it owner; the owner
/// watches those that could die in the middle of a call that concerns its events.
///
/// A pidfd is only the alarm; the kernel's lock on the byte of a process says whether it is dead, as always. The pid comes from the
/// kernel too, which names the holder of that lock: a pid in the segment may be one of another namespace, where it means another
/// process here. A process for which no pidfd can be had is polled instead: its byte is asked for every `poll_interval`, by a timer
/// that runs only while there are such processes. No pidfd can be had if the process is hidden from this pid
/// namespace, if pidfd_open(2) is denied, or if descriptors or memory run out.
class death_watch {
public:
    /// Made on first use; -1 if there is none.
    int native_handle() const noexcept { return epoll_.get(); }
    /// `common_bell`: its ring shows like a death. Must live as long as this object.
    void open(error_code& ec, unique_fd* common_bell = nullptr);

    /// Watches the live holders of a socket, other than `self`: at most `limit` of them, those whose index follows its own, so that
    /// among many holders each is watched by some. Sweeps the holders that are dead already.
    void watch_holders(membership& self, std::uint32_t socket) noexcept;
    /// Watches one process; sweeps it if it is dead already. Throws std::bad_alloc.
    void watch(membership& self, process_id who);
    /// Sweeps the processes that the epoll reports dead. Another process may be sweeping one and may die over it: so the epoll
    /// reports again, until it is swept.
    void answer(membership& self) noexcept;

    /// Vouches for the descriptors that still are its own, lets go of the others, and tells whether there was none of these.
    bool prove() noexcept;
    /// Vouches for its epoll, and for the one into which it was put, if that still has the entry.
    void prove_in(unique_fd& epoll, std::uint32_t events, std::uint64_t data) noexcept;

    /// Around fork(2): a thread of the parent may be watching.
    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }
    /// In a forked child, locked: forgets the processes that the parent watches. Frees no memory.
    void abandon() noexcept;
    /// Frees the memory that `abandon` has left; locked, and not in the child's hook. It has to be called before another fork.
    void free_abandoned() noexcept;

    static constexpr std::size_t limit = 64;
    static constexpr std::chrono::milliseconds poll_interval{250};

private:
    bool settled(membership& self, process_id dead) const noexcept; ///< `dead` is swept, by this process or another
    // With mutex_ held:
    bool watch_pidfd(membership& self, process_id who); ///< false: there is no pidfd
    void take_reports(int more, const epoll_event* events);
    void set_timer() noexcept; ///< for the next look at the unsettled and the polled processes

    ranked_mutex<lock_rank::death_watch> mutex_;
    unique_fd* common_bell_ = nullptr; // in epoll_, if there is one
    unique_fd epoll_;
    unique_fd timer_; // made when first needed
    bool timer_runs_ = false;
    std::map<process_id, unique_fd> watched_;
    std::set<process_id> polled_;                       // processes for which there is no pidfd
    std::map<process_id, unique_fd> watched_by_parent_; // closed
    std::set<process_id> polled_by_parent_;
    std::vector<process_id> unsettled_; // dead, but another process was sweeping them: it may have died over it
};

} // namespace sharedsock::detail
