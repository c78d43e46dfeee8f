// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

/// A deposit is a descriptor in whose receive queue another descriptor waits: one end of a pair of AF_UNIX sockets. Several
/// processes may have copies of it. Once one of them has emptied it, no process keeps the socket open by its copy.
///
/// The descriptor of a ticket by pid travels in one. A copy lies in the target's mailbox, and the source keeps a copy: the target
/// may execute another program before it redeems the ticket, and its mailbox ends with the old program. If the source kept the
/// socket itself, the socket would stay open after the last handle was closed, until the source served again.
namespace sharedsock::detail::deposit {

/// A deposit with a copy of `descriptor` in it, which must be a socket. Empty and an error if it cannot be made.
unique_fd make(int descriptor, error_code& ec) noexcept;
/// A copy of the descriptor in it, which stays there. Empty without an error: nothing is in it, or `descriptor` is no deposit.
/// `too_many_files_open`: there is no room for a copy.
unique_fd look(int descriptor, error_code& ec) noexcept;
/// Takes the descriptor out of it, and closes that.
void empty(int descriptor) noexcept;

} // namespace sharedsock::detail::deposit
