// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <string>

/// The object of a call that failed: an error_code has no room for it, so each thread remembers that of its last failure, for the
/// text of the exception and for `describe_failure`.
///
/// Threads: each has its own. fork(2): the child has a copy.
namespace sharedsock::detail {

/// Notes that `ec` came from a system call on the file `name` in the open `directory`; empty: on the open file itself. The note
/// names the path as the kernel knows it, and the user and the group of this process at this moment. Keeps errno.
void note_failure(const error_code& ec, const char* call, int directory, const char* name) noexcept;

/// Makes the note of this thread. In a library that was loaded at run time its first use takes memory, which a forked child cannot
/// have in its fork hook: so the forking thread calls this before.
void make_note() noexcept;

// `forget_failure` (sharedsock/error.hpp) forgets the note of this thread.

/// "openat /dev/shm/sharedsock.0.web as user 33, group 33: ", if the last note of this thread is of `ec`; else empty.
std::string noted_failure(const error_code& ec);

} // namespace sharedsock::detail
