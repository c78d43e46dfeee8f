// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "membership.hpp"
#include "unique_fd.hpp"

#include <map>
#include <mutex>

namespace sharedsock::detail {

/// Notices deaths at once: one epoll of pidfds. For whoever stands by, of the processes whose death could make it owner; for the
/// owner, of those that could die in the middle of a call that concerns its events.
///
/// A pidfd is only the alarm; whether the process is dead says the kernel's lock on its byte, as always. Where no pidfd can be
/// had (another pid namespace, no descriptors left) the death is noticed by the next sweep instead: by a process that serves,
/// attaches, waits for a lock or runs out of room.
class death_watch {
public:
    /// Made on first use; -1 if there is none.
    int native_handle() const noexcept { return epoll_.get(); }
    void open(error_code& ec);

    /// Watches the live holders of a socket, other than `self`: at most `limit` of them, those whose index follows its own,
    /// so that among many everyone is watched by some. Those who are dead already are swept.
    void watch_holders(membership& self, std::uint32_t socket);
    /// Sweeps those that the epoll reports dead.
    void answer(membership& self) noexcept;

    /// Around fork(2): a thread of the parent may be watching. Nothing else is locked under this.
    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }
    /// In a forked child, locked: forgets the parent's.
    void abandon() noexcept;

    static constexpr std::size_t limit = 64;

private:
    void watch(membership& self, process_id who);

    std::mutex mutex_;
    unique_fd epoll_;
    std::map<process_id, unique_fd> watched_;
};

} // namespace sharedsock::detail
