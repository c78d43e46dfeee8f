// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/accept_line.hpp"
#include "accept/turn_alarm.hpp"
#include "attach/fork_hook.hpp"
#include "attach/handle.hpp"
#include "base/unique_fd.hpp"

#include <sharedsock/turn_acceptor.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// One acceptor's place in the accept queue: the promises of `turn_acceptor`, for a handle that the caller keeps. `through` is that
/// handle in every call.
class turn_taking {
public:
    turn_taking(const turn_options& options, process_id self) noexcept : options_(options), self_(self) {}

    /// The member to act through, if it is still the one that made this object: a forked child is another member, and the epoll
    /// instance that it sees is its parent's.
    membership* member(handle& through, error_code& ec) const noexcept;

    void stand_by(handle& through, membership& member, int epoll, std::uint64_t ready, std::uint64_t alarm, error_code& ec);
    /// `member`: null if this process is no member any more.
    void leave(handle& through, membership* member) noexcept;
    bool stands_by() const noexcept { return epoll_ >= 0; }
    bool is_reported() const noexcept { return waits_; } ///< whether its epoll tells of every connection that waits

    unique_fd accept(handle& through, membership& member, error_code& ec);
    void look(handle& through, membership& member, error_code& ec);

    /// For a forked child that is to take turns of its own: it then has no place in the accept queue, and nothing of the parent's.
    void begin_anew() noexcept;
    void before_fork() noexcept { alarm_.before_fork(); }

    std::size_t others(handle& through, membership& member);
    std::uint64_t turns() const noexcept { return turns_; }

private:
    bool wait(int descriptor) noexcept;
    void wait_no_more(int descriptor) noexcept;
    void end_turn(int descriptor, error_code& ec) noexcept;
    void after_accept(handle& through, membership& member, error_code& ec);

    const turn_options options_;
    mutable process_id self_;                     // none, in a child that has begun anew: the first call sets it
    std::uint64_t instance_ = process_instance(); // a forked child's epoll is its parent's, until it makes its own
    int epoll_              = -1;                 // the epoll instance of its place in the accept queue; -1: none
    std::uint64_t ready_    = 0;
    bool waits_             = false; // whether the listener is in that epoll
    std::uint32_t accepted_ = 0;     // in this turn
    std::uint64_t turns_    = 0;
    accept_line line_;
    turn_alarm alarm_;
};

} // namespace sharedsock::detail
