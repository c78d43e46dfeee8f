// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/descriptor_proof.hpp"
#include "base/ranked_mutex.hpp"
#include "base/unique_fd.hpp"
#include "ipc/mail_connections.hpp"
#include "ipc/mail_peers.hpp"
#include "ipc/message.hpp"

#include <sharedsock/error.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include <sys/types.h>

namespace sharedsock::detail {

/// Brings descriptors to another process, which need not look at that moment: a listening AF_UNIX SOCK_SEQPACKET socket for each
/// process, `box.<index>` in the segment's directory `ways`. A message that was sent lies in the kernel's queue of the connection;
/// it survives the sender and dies with the receiver. Senders keep their connection, so a message costs one sendmsg(2).
///
/// Path names, because abstract names have no permissions; bound and connected through the directory's descriptor, so
/// neither the length of the path nor a replaced directory matters. The sender's uid is checked (SO_PEERCRED) on accept: it is
/// this process's, or that of an attached process (mail_peers). Where the name of a mailbox is gone, senders reach it by the
/// descriptor of its path that its process keeps, through /proc. A receiver keeps a limited number of connections
/// (mail_connections); a sender whose connection it has closed makes another.
///
/// Threads: safe. fork(2): hold `lock` across it, or the child may find the object locked for ever; the child unlocks, calls
/// `abandon` and then `open` anew. These three use no heap.
class mailbox {
public:
    /// `directory` must stay open, and `peers` live, as long as the object does.
    mailbox(int directory, mail_peers& peers);
    ~mailbox(); ///< closes everything and leaves the name
    mailbox(const mailbox&)            = delete;
    mailbox& operator=(const mailbox&) = delete;

    /// Binds `box.<self>` (and removes that of a dead predecessor) and listens. `errc::paths_lost`: the directory was deleted.
    void open(std::uint32_t self, error_code& ec) noexcept;
    /// From now on the kernel takes no message for it: `send` fails with `target_gone`. Messages that were sent before are received
    /// as ever. Of each message one or the other is true. Idempotent.
    void refuse(std::uint32_t self, error_code& ec);
    /// Unlinks the name and closes everything; messages not received are gone.
    void close(std::uint32_t self) noexcept;
    /// In a forked child: closes the copies of the parent's descriptors, without unlinking anything. While one is open,
    /// the messages that the parent never received outlive the parent. Frees no memory.
    void abandon() noexcept;

    /// Whether its descriptors still are its own; one system call.
    bool is_ours() noexcept;
    /// Vouches for its descriptors that still are its own, lets go of the others, and tells whether there was none of these.
    bool prove() noexcept;

    // For the fork hook, around fork(2); it unlocks in the child too.
    void lock() { mutex_.lock(); }
    void unlock() noexcept { mutex_.unlock(); }
    /// Frees the memory that `abandon` has left; locked, and not in the child's hook. It has to be called before another fork.
    void free_abandoned() noexcept;

    /// The descriptor of its path, by which others reach it if its name is gone; -1 before `open`.
    int path_handle() const noexcept { return path_.get(); }

    /// An epoll descriptor, readable when a message or a connection waits.
    int native_handle() const noexcept { return epoll_.get(); }

    /// Sends one message, with `descriptor` unless it is -1, to the process at index `to`. Never blocks.
    /// `errc::target_gone`: no process listens. `errc::paths_lost`: the process lives, and no way leads to its mailbox any more.
    /// `errc::mailbox_full`: its queue, or the user's limit of descriptors in flight, is full; or it has more senders than it keeps
    /// connections, and closed each of some that this call made. A kept connection that turned out dead, or leads to a former
    /// incarnation, is replaced.
    void send(std::uint32_t to, const mail_message& text, int descriptor, error_code& ec, const packed_carry* carry = nullptr);

    /// Whether the mailbox of that process has a name, and belongs to that user.
    bool is_of(std::uint32_t index, uid_t user) const noexcept;

    /// A duplicate of the connection to `to`, which poll(2) shows as writable when its queue has room again, and as hung up
    /// when no process reads it any more; none if there is no connection or no room for the duplicate.
    unique_fd way_to(std::uint32_t to) const;

    /// Takes the next message that waits, without blocking; nothing if there is none. A message without a (right) descriptor
    /// where one is due, with a foreign one, or malformed, is dropped and counted. `too_many_files_open`: there is a message, but
    /// no room for its descriptor or for its connection. `errc::mailbox_denied`: connections wait, and this process may not accept
    /// them. After these and all other errors of the kernel the message stays where it is: it is peeked at, and consumed only when
    /// its descriptor is safe (recvmsg(2) would lose it for ever, DUP-9).
    std::optional<delivered_message> receive(error_code& ec);

    std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

private:
    struct route {
        unique_fd connection;
        std::uint32_t generation; // of the incarnation that it leads to
        std::uint64_t cookie;     // SO_COOKIE of the connection
    };
    enum class taken { mail_message, nothing, end };

    taken take(int connection, delivered_message& into, error_code& trouble);
    void forget(int connection);
    bool accept_waiting(error_code& ec); ///< whether there were some
    int route_to(std::uint32_t to, std::uint32_t generation, error_code& ec);
    void close_all() noexcept;
    std::uint32_t listener_events() const noexcept; // that epoll_ watches for
    void count_drop() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }

    unique_fd connect_to(std::uint32_t index, error_code& ec);
    unique_fd connect_around(std::uint32_t index, bool named, error_code& ec);

    const int directory_;
    mail_peers& peers_;
    unique_fd listener_;
    unique_fd path_; // of the listener, opened with O_PATH
    file_mark path_mark_;
    unique_fd epoll_;
    mutable ranked_mutex<lock_rank::mailbox> mutex_; // guards all below
    bool refuses_ = false;
    mail_connections incoming_;                          // accepted
    std::unordered_map<std::uint32_t, route> outgoing_;  // kept connections, by process index
    std::unordered_map<std::uint32_t, route> abandoned_; // the parent's, closed
    int last_ = -1;                                      // connection that yielded a message last: tried first
    std::atomic<std::uint64_t> dropped_{0};
};

} // namespace sharedsock::detail
