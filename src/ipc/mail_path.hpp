// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/short_text.hpp"
#include "base/syscall.hpp"
#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>

#include <sys/types.h>
#include <sys/un.h>

/// The ways to a mailbox: its name in a directory, the socket under it, and connections through paths.
namespace sharedsock::detail::mail_path {

short_text name_of(std::uint32_t index) noexcept;                   ///< of the mailbox of that process
short_text through(int descriptor) noexcept;                        ///< the path of an open file, in proc(5)
short_text through(int directory, const short_text& name) noexcept; ///< the path of a file in an open directory
sockaddr_un address_of(const short_text& path) noexcept;

unique_fd make_socket();

/// The file of a mailbox, if it is a socket; never what a link leads to: a process of another user may have put something else
/// there. Without it errno says why, and `failed` at which call.
unique_fd open(int directory, std::uint32_t index, const call_category*& failed);

/// A connection to the socket at that path. Without it errno says why, and `failed` at which call.
unique_fd connect(const short_text& path, const call_category*& failed);

/// The process that listens at the other end, as the kernel says; 0: it has no number in this pid namespace; -1: not known.
pid_t listener_of(const unique_fd& connection) noexcept;

/// The error of a call on a file of the segment that has just failed.
error_code last_error_of_file(const call_category& call) noexcept;

} // namespace sharedsock::detail::mail_path
