// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/lock_rank.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// What must be told of fork(2): attachments and watchers. They are the library's one registry (G11).
///
/// The hook is a pthread_atfork(3) one. The parent's fork(2) returns when the child has become a member of its own right, so
/// that every inherited handle is counted at that moment (DUP-17). A child made by a raw clone(2) runs no hook; it is
/// recognised by the wiped page behind `process_instance`.
class fork_aware {
public:
    virtual void before_fork()                  = 0; ///< in the parent: take the locks that the child needs free
    virtual void after_fork_in_parent()         = 0; ///< release them
    virtual void after_fork_in_child() noexcept = 0; ///< release them, and begin anew

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

/// Before anything that a fork in another thread must not cut in two. Idempotent.
void install_fork_hook();

/// A number that is not zero in this process, and is another or zero in any child: whoever remembers it knows whether it is
/// still in the process that wrote it. One load from a page with MADV_WIPEONFORK.
std::uint64_t process_instance() noexcept;

} // namespace sharedsock::detail
