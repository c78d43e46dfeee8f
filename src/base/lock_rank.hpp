// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

namespace sharedsock::detail {

/// The order of all locks: a thread that holds a lock takes only locks that stand further down. docs/concurrency.md says what
/// each lock guards and how to add one.
///
/// Where a comment says that fork(2) takes a lock, the fork hook takes all locks of that kind and the neighbouring ones.
/// Such a group of neighbours belongs to one object. Of the ranks within it, the hook leaves out Asio's own.
enum class lock_rank : std::uint8_t {
    winsock_startup,      ///< orders WSAStartup and WSACleanup, which call the library
    winsock_layer,        ///< the numbers of SOCKETs, events and windows; the library is never called under it; fork(2) takes it
    fork_registry,        ///< which objects must be told of fork(2); the hook holds it until the child is a member
    local_registration,   ///< one handle's registration in this process, and each of its deliveries to an event object
    reactor_service,      ///< an execution context's I/O objects and watched descriptors; fork(2) takes it
    io_object_reactor,    ///< a stream's descriptor in the reactor, for threads other than its user's
    io_object,            ///< a stream's epoch and waiting operations; fork(2) takes it
    readiness,            ///< one descriptor that is watched on an execution context; fork(2) takes it
    public_reactor,       ///< the descriptors of a context that does without the interior of Asio's reactor
    asio_descriptor,      ///< one for each descriptor, Asio's own or that of its stand-in: `perform` runs under it
    reactor_accept_queue, ///< a listener's place in the accept queue; locked in `perform`; fork(2) takes it
    attachment,           ///< open handles, mail and kept descriptors of an attachment; fork(2) takes it
    handle,               ///< a handle's blocked calls and which registration it has; fork(2) takes it
    mailbox,              ///< connections to and from other processes; fork(2) takes it
    death_watch,          ///< pidfds of processes that are watched; fork(2) takes it
    event_poller,         ///< the registrations and attachments that an epoll serves; fork(2) takes it
    event_poller_flag,    ///< whether an event object is signalled; fork(2) takes it
    adoption_lock,        ///< one process of a segment at a time adopts a socket; shared by all processes
    robust_lock,          ///< of a slot, or of the name table: shared by all processes, and one at a time in a thread
    liveness_registry,    ///< the lock files that this process has open; nothing is locked under it; fork(2) takes it
};

inline constexpr unsigned lock_rank_count = static_cast<unsigned>(lock_rank::liveness_registry) + 1;

/// The name under which docs/concurrency.md lists it.
constexpr const char* name_of(lock_rank rank) noexcept
{
    constexpr const char* names[] = {
        "winsock_startup", "winsock_layer",    "fork_registry",  "local_registration", "reactor_service",      "io_object_reactor",
        "io_object",       "readiness",        "public_reactor", "asio_descriptor",    "reactor_accept_queue", "attachment",
        "handle",          "mailbox",          "death_watch",    "event_poller",       "event_poller_flag",    "adoption_lock",
        "robust_lock",     "liveness_registry"};
    static_assert(sizeof names / sizeof *names == lock_rank_count);
    return names[static_cast<unsigned>(rank)];
}

/// Neighbouring ranks, from the first to the last.
struct lock_rank_group {
    lock_rank first;
    lock_rank last;

    constexpr bool contains(lock_rank rank) const noexcept { return first <= rank && rank <= last; }
};

// The locks that the fork hook takes of each member of its registry. It tells the members in this order.
inline constexpr lock_rank_group reactor_service_locks{lock_rank::reactor_service, lock_rank::reactor_accept_queue};
inline constexpr lock_rank_group attachment_locks{lock_rank::attachment, lock_rank::death_watch};
inline constexpr lock_rank_group event_poller_locks{lock_rank::event_poller, lock_rank::event_poller_flag};

} // namespace sharedsock::detail
