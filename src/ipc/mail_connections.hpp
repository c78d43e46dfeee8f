// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "ipc/mail_peers.hpp"

#include <sharedsock/error.hpp>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace sharedsock::detail {

/// The connections that a mailbox has accepted, each watched by the mailbox's epoll.
///
/// They are the descriptors that other processes make this one spend, so there are at most `limit()` of them, and one more. For a
/// new one above that the connection that has been silent longest is expired: its receiving side is shut down first, then all
/// messages that were sent before that are still read, so none is lost; and a sender whose connection has gone makes another. A
/// connection in which a message waits is not expired. Only processes of this user are let in, and of
/// users whose processes are attached.
///
/// Threads: not safe; the mailbox's mutex guards it.
class mail_connections {
public:
    /// Accepts the connections that wait at `listener`, until messages of those that were accepted before have to be read first.
    /// False if there is no new connection. `ec`: why a connection that waits could not be accepted, or is not watched; unchanged
    /// if all were.
    bool accept_from(int listener, int epoll, const mail_peers& peers, error_code& ec);
    /// Watches the connections that are not watched yet, because there was no memory when they came or ever since.
    void watch_unwatched(int epoll, error_code& ec) noexcept;
    /// A message came through the connection: now it is the one that was silent for the shortest time.
    void heard_from(int connection) noexcept;
    /// Closes one connection.
    void forget(int connection, int epoll) noexcept;
    /// Vouches for the watched connections whose descriptors still are theirs (descriptor_proof), lets go of the others, and tells
    /// whether there were none of these.
    bool prove(unique_fd& epoll) noexcept;
    /// From here on the kernel takes no message for any of them; those that were sent before are still read.
    void end_all() noexcept;
    /// Closes all connections, and takes nothing out of the epoll set: a forked child shares that with its parent. Frees no memory:
    /// `free_abandoned` does that later, before another call of this.
    void abandon() noexcept;
    void free_abandoned() noexcept { abandoned_.clear(); }

    /// How many processes of other users were turned away since the last call.
    std::uint64_t take_strangers() noexcept;
    bool contains(int connection) const noexcept { return open_.contains(connection); }
    std::size_t count() const noexcept { return open_.size(); }
    /// A sixteenth of the descriptors that this process may open; at least 8, at most 256.
    static std::size_t limit() noexcept;

private:
    struct incoming {
        unique_fd descriptor;
        std::uint64_t heard = 0;     // when, by `clock_`
        bool ends           = false; // its receiving side is shut down
    };

    bool expire_one(std::uint64_t before, int epoll);

    std::unordered_map<int, incoming> open_;      // by descriptor
    std::unordered_map<int, incoming> abandoned_; // the parent's, closed
    std::vector<int> unwatched_;                  // the open ones that are not in the epoll set yet
    std::uint64_t clock_     = 0;
    std::uint64_t strangers_ = 0;
};

} // namespace sharedsock::detail
