// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace sharedsock::detail {

/// Tells a mailbox about the processes of its segment. The attachment does that, from the process table.
class mail_peers {
public:
    /// This process is about to connect to another one, which asks `is_user` about it: its user may have changed.
    virtual void note_own_user() noexcept = 0;
    /// Whether a process of the segment runs as that user.
    virtual bool is_user(uid_t user) const noexcept = 0;
    /// The mailbox of a process, for a sender that does not find its name.
    struct box_place {
        enum class kind : std::uint8_t {
            gone,      ///< the process has ended, has no mailbox yet, or takes no messages any more
            described, ///< descriptor `number` of the process `pid` is its path; `pid` 0: it has no number in this pid namespace
            nowhere,   ///< it lives, and could not make a mailbox
        };
        kind what  = kind::gone;
        pid_t pid  = 0;
        int number = -1;
    };
    virtual box_place find_box(std::uint32_t index) const noexcept = 0;

protected:
    ~mail_peers() = default;
};

} // namespace sharedsock::detail
