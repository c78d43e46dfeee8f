// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/ranked_mutex.hpp"
#include "base/unique_fd.hpp"
#include "ipc/mail_connections.hpp"
#include "ipc/message.hpp"

#include <sharedsock/error.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace sharedsock::detail {

/// How descriptors reach another process whose owner need not look: a listening AF_UNIX SOCK_SEQPACKET socket a process,
/// `box.<index>` in the segment's private directory. What was sent lies in the kernel's queue of the connection; it survives
/// the sender and dies with the receiver. Senders keep their connection, so a letter costs one sendmsg(2).
///
/// Path names, because abstract names have no permissions; bound and connected through the directory's descriptor, so
/// neither the length of the path nor a replaced directory matters. The sender's uid is checked (SO_PEERCRED) on accept. A receiver
/// keeps a limited number of connections (mail_connections); a sender whose connection it has closed makes another.
///
/// Threads: safe. fork(2): hold `lock` across it, or the child may find the object locked for ever; the child unlocks, calls
/// `abandon` and then `open` anew.
class mailbox {
public:
    /// `directory` must stay open as long as the object lives.
    explicit mailbox(int directory);
    ~mailbox(); ///< closes everything and leaves the name
    mailbox(const mailbox&)            = delete;
    mailbox& operator=(const mailbox&) = delete;

    /// Binds `box.<self>` (removing a dead predecessor's) and listens.
    void open(std::uint32_t self, error_code& ec);
    /// Unlinks the name and closes everything; letters not received are gone.
    void close(std::uint32_t self) noexcept;
    /// In a forked child: closes the copies of the parent's descriptors, without unlinking anything. While one is open the
    /// letters that the parent never received outlive it.
    void abandon() noexcept;

    /// Whether its descriptors still are what they were; one system call.
    bool is_ours() noexcept;
    /// Vouches for those that still are, lets go of the others, and tells whether there was none of these.
    bool prove() noexcept;

    void lock() { mutex_.lock(); }              ///< for the fork hook
    void unlock() noexcept { mutex_.unlock(); } ///< likewise; in the child too

    /// An epoll descriptor, readable when a letter or a connection waits.
    int native_handle() const noexcept { return epoll_.get(); }

    /// Sends one letter, with `descriptor` unless it is -1, to the process at index `to`. Never blocks.
    /// `errc::target_gone`: nobody listens. `errc::mailbox_full`: its queue, or the user's limit of descriptors in flight, is
    /// full. A kept connection that turned out dead, or was made to a former tenant, is replaced once.
    void send(std::uint32_t to, const letter& text, int descriptor, error_code& ec, const packed_carry* carry = nullptr);

    /// A duplicate of the connection to `to`, which poll(2) shows as writable when its queue has room again, and as hung up
    /// when nobody reads it any more; none if there is no connection or no room for the duplicate.
    unique_fd way_to(std::uint32_t to) const;

    /// Takes the next letter that waits, without blocking; nothing if there is none. A letter without a (right) descriptor
    /// where one is due, with a foreign one, or malformed, is dropped and counted. `too_many_files_open`: there is a letter,
    /// but no room for its descriptor or for its connection; it stays where it is (the message is peeked at, and consumed only
    /// when its descriptor is safe: recvmsg(2) would lose it for ever, DUP-9). `errc::mailbox_denied`: connections wait, and this
    /// process may not accept them. Other errors of the kernel's: likewise, it stays where it is.
    std::optional<delivered_letter> receive(error_code& ec);

    std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

private:
    struct route {
        unique_fd connection;
        std::uint32_t generation; // of the tenant that it leads to
        std::uint64_t cookie;     // SO_COOKIE of the connection
    };
    enum class taken { letter, nothing, end };

    taken take(int connection, delivered_letter& into, error_code& trouble);
    void forget(int connection);
    int route_to(std::uint32_t to, std::uint32_t generation, error_code& ec);
    void close_all() noexcept;
    void count_drop() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }

    const int directory_;
    unique_fd listener_;
    unique_fd epoll_;
    mutable ranked_mutex<lock_rank::mailbox> mutex_;    // guards all below
    mail_connections incoming_;                         // accepted
    std::unordered_map<std::uint32_t, route> outgoing_; // kept connections, by process index
    int last_ = -1;                                     // connection that yielded a letter last: tried first
    std::atomic<std::uint64_t> dropped_{0};
};

} // namespace sharedsock::detail
