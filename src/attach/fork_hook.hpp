// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/graveyard.hpp"
#include "base/lock_rank.hpp"
#include "base/process_instance.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// An object that the fork hook tells of fork(2): a reactor service, an event poller or an attachment. The registry of these
/// objects is the only one in the library (G11).
///
/// The hook is a pthread_atfork(3) one. The parent's fork(2) returns when the child has become a member itself, so that every
/// inherited handle is counted at that moment (DUP-17). A child made by a raw clone(2) runs no hook; the wiped page behind
/// `process_instance` tells it apart.
///
/// The hook holds the registry's mutex from the first of these functions to the last. So none of them may destroy an object that
/// is in the registry, run code of the user, or throw: the child puts the inherited objects that it cannot use into the graveyard.
///
/// In the child they may not use the heap either: a thread of the parent may have been in the allocator, and then its lock is held
/// there for ever. A container of the parent's is put aside whole, its descriptors are closed, and `free_inherited` frees the
/// memory.
///
/// A member whose last reference another thread has dropped is in the registry until its destructor has the mutex. It is whole
/// until then: `leave_fork_registry` comes first in a destructor. In the child no thread finishes that destructor; such a member
/// closes its descriptors, and is removed from the registry.
class fork_aware {
public:
    virtual void before_fork() noexcept          = 0; ///< in the parent: takes the locks that the child needs free
    virtual void after_fork_in_parent() noexcept = 0; ///< releases those locks
    /// In the child, for every member before `after_fork_in_child` of any: takes out of an epoll what is about to be replaced.
    virtual void let_go_in_child() noexcept {}
    /// Releases the locks, and begins anew. False: nothing in the child refers to this member, which need not hear of another fork.
    virtual bool after_fork_in_child(graveyard& dead) noexcept = 0;
    /// In the child's first call that empties the graveyard, with the registry's mutex held: frees the memory that
    /// `after_fork_in_child` has put aside. If a fork comes before that call, `before_fork` frees it.
    virtual void free_inherited() noexcept {}
    /// The process is about to end by _exit(2), without destructors, and runs no other thread: leaves the segment in order.
    virtual void end_with_process() noexcept {}

protected:
    fork_aware()                             = default;
    ~fork_aware()                            = default;
    fork_aware(const fork_aware&)            = delete;
    fork_aware& operator=(const fork_aware&) = delete;

    /// At the end of a constructor. `locks`: those that `before_fork` takes. The hook takes the locks of all members in the order
    /// of their ranks, and those of members with the same group in the order in which they joined.
    void join_fork_registry(const lock_rank_group& locks);
    void leave_fork_registry() noexcept; ///< at the beginning of a destructor
};

/// Call it before any step that a fork in another thread must not cut in two. Idempotent. A child of a raw clone(2) that attaches
/// itself calls this first, and is a process like any other from then on; the objects that it inherited stay its parent's.
void install_fork_hook();

/// Ends all attachments of this process in order: for a process that ends next, by _exit(2). No other thread may run.
void end_attachments() noexcept;

/// Why this process could not count all the handles that it inherited in the fork that made it.
struct fork_shortage {
    error_code why; ///< no error: it has counted all
    std::uint64_t inherited = 0;
    std::uint64_t counted   = 0;
    std::uint32_t capacity  = 0; ///< of the segment's table, for handles or for processes
};
void report_fork_shortage(const fork_shortage& found) noexcept; ///< called in `after_fork_in_child`
fork_shortage shortage_of_this_fork() noexcept;                 ///< of the segment that reported first

} // namespace sharedsock::detail
