// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/ranked_mutex.hpp"
#include "base/unique_fd.hpp"
#include "member/membership.hpp"

#include <chrono>
#include <map>
#include <set>
#include <vector>

#include <sys/epoll.h>

namespace sharedsock::detail {

/// Notices deaths at once: one epoll of pidfds. For whoever stands by, of the processes whose death could make it owner; for the
/// owner, of those that could die in the middle of a call that concerns its events.
///
/// A pidfd is only the alarm; whether the process is dead says the kernel's lock on its byte, as always. The pid comes from the
/// kernel too, which names the holder of that lock: a pid in the segment may be one of another namespace, where it means another
/// process here. A process that no pidfd can be had for is polled instead: its byte is asked for every `poll_interval`, by a timer
/// that runs only while there are such processes. That is so if the process is hidden from this pid namespace, if pidfd_open(2)
/// is denied, and if descriptors or memory run out.
class death_watch {
public:
    /// Made on first use; -1 if there is none.
    int native_handle() const noexcept { return epoll_.get(); }
    void open(error_code& ec);

    /// Watches the live holders of a socket, other than `self`: at most `limit` of them, those whose index follows its own,
    /// so that among many everyone is watched by some. Those who are dead already are swept.
    void watch_holders(membership& self, std::uint32_t socket) noexcept;
    /// Sweeps those that the epoll reports dead. Somebody else may be sweeping one: then the epoll reports again, until it is
    /// swept, for he may die over it.
    void answer(membership& self) noexcept;

    /// Vouches for the descriptors that still are what they were, lets go of the others, and tells whether there was none of these.
    bool prove() noexcept;
    /// Likewise, by the epoll that it was put into.
    void prove_in(unique_fd& epoll, std::uint32_t events, std::uint64_t data) noexcept;

    /// Around fork(2): a thread of the parent may be watching. Nothing else is locked under this.
    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }
    /// In a forked child, locked: forgets the parent's.
    void abandon() noexcept;

    static constexpr std::size_t limit = 64;
    static constexpr std::chrono::milliseconds poll_interval{250};

private:
    void watch(membership& self, process_id who);
    bool settled(membership& self, process_id dead) const noexcept; ///< it is swept, by whomever
    bool watch_pidfd(membership& self, process_id who);             ///< false: there is none; with mutex_ held
    void take_reports(int more, const epoll_event* events);         ///< likewise
    void set_timer() noexcept;                                      ///< for the next look at what is unsettled or polled; likewise

    ranked_mutex<lock_rank::death_watch> mutex_;
    unique_fd epoll_;
    unique_fd timer_; // made when it is first needed
    bool timer_runs_ = false;
    std::map<process_id, unique_fd> watched_;
    std::set<process_id> polled_;       // those of whom there is no pidfd
    std::vector<process_id> unsettled_; // dead, and another process was at them: it may have died over it
};

} // namespace sharedsock::detail
