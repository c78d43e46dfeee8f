// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/graveyard.hpp"
#include "base/lock_rank.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// What must be told of fork(2): reactor services, watchers and attachments. They are the library's one registry (G11).
///
/// The hook is a pthread_atfork(3) one. The parent's fork(2) returns when the child has become a member of its own right, so
/// that every inherited handle is counted at that moment (DUP-17). A child made by a raw clone(2) runs no hook; it is
/// recognised by the wiped page behind `process_instance`.
///
/// The registry's mutex is held from the first of these functions to the last. So none of them may destroy an object that is in
/// the registry, run code of the user, or throw: the child gives what it inherited and has no use for to the graveyard.
///
/// A member whose last reference another thread has dropped is in the registry until its destructor has the mutex. It is whole
/// then: `leave_fork_registry` comes first in a destructor. In the child nobody ends that destructor; such a member closes its
/// descriptors, and is forgotten.
class fork_aware {
public:
    virtual void before_fork() noexcept          = 0; ///< in the parent: take the locks that the child needs free
    virtual void after_fork_in_parent() noexcept = 0; ///< release them
    /// In the child, of all members before the next function of any: take out of an epoll what is about to be replaced.
    virtual void let_go_in_child() noexcept {}
    /// Release the locks, and begin anew. False: nobody has this member in the child, and it need not hear of another fork.
    virtual bool after_fork_in_child(graveyard& dead) noexcept = 0;

protected:
    fork_aware()                             = default;
    ~fork_aware()                            = default;
    fork_aware(const fork_aware&)            = delete;
    fork_aware& operator=(const fork_aware&) = delete;

    /// At the end of a constructor. `locks`: what `before_fork` takes. Of all members the hook takes the locks in the order of
    /// their ranks, and of members with the same group in the order in which they joined.
    void join_fork_registry(const lock_rank_group& locks);
    void leave_fork_registry() noexcept; ///< at the beginning of a destructor
};

/// Before anything that a fork in another thread must not cut in two. Idempotent. A child of a raw clone(2) that attaches to a
/// segment of its own calls this first, and is a process like any other from then on; what it has inherited stays its parent's.
void install_fork_hook();

/// A number that is not zero in this process, and is another or zero in any child: whoever remembers it knows whether it is
/// still in the process that wrote it. One load from a page with MADV_WIPEONFORK. Zero: a child of a raw clone(2), to which
/// nothing belongs.
std::uint64_t process_instance() noexcept;

/// Why this process could not count all the handles that it inherited in the fork that made it.
struct fork_shortage {
    error_code why; ///< no error: it has counted all
    std::uint64_t inherited = 0;
    std::uint64_t counted   = 0;
    std::uint32_t capacity  = 0; ///< of the segment's table, for handles or for processes
};
void report_fork_shortage(const fork_shortage& found) noexcept; ///< in `after_fork_in_child`
fork_shortage shortage_of_this_fork() noexcept;                 ///< of the segment that reported first

} // namespace sharedsock::detail
