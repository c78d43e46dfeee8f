// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <csignal>

#include <sys/socket.h>
#include <sys/types.h>

/// The one place where the library gets descriptors from the kernel. Each function is the system call of that name; on failure the
/// result owns nothing and errno says why. A call that a signal interrupts is repeated.
///
/// No descriptor of the library is ever 0, 1 or 2: a process may have been started without its standard streams, and then its
/// output would land in the library's file. All are close-on-exec, whatever the flags say. The number costs no system call if it
/// is above 2 at once. In a process that was seen to have a standard number free, that number is kept occupied, by a descriptor
/// that cannot be read or written, while a call is under way; before the first such call is seen, the new descriptor has the low
/// number for the length of two system calls.
///
/// Threads: safe. fork(2): safe.
namespace sharedsock::detail::new_fd {

unique_fd open(const char* path, int flags, mode_t mode = 0) noexcept;
unique_fd open_at(int directory, const char* path, int flags, mode_t mode = 0) noexcept;
unique_fd memory(const char* name, unsigned flags) noexcept;                         ///< memfd_create(2)
unique_fd socket(int family, int type, int protocol) noexcept;                       ///< socket(2)
unique_fd accept(int listener, sockaddr* peer, socklen_t* size, int flags) noexcept; ///< accept4(2); accept(2) where that is denied
unique_fd epoll() noexcept;                                                          ///< epoll_create1(2)
unique_fd event() noexcept;                                                          ///< eventfd(2), non-blocking
unique_fd timer() noexcept;                                                          ///< timerfd_create(2), monotonic, non-blocking
unique_fd signals(const sigset_t& which) noexcept;                                   ///< signalfd(2), non-blocking
unique_fd of_process(pid_t pid) noexcept;                                            ///< pidfd_open(2)
unique_fd from_process(const unique_fd& process, int number) noexcept;               ///< pidfd_getfd(2)
unique_fd duplicate(int descriptor, int least = STDERR_FILENO + 1) noexcept;         ///< fcntl(2) with F_DUPFD_CLOEXEC
bool pair(int family, int type, unique_fd& one, unique_fd& other) noexcept;          ///< socketpair(2)
bool pipe(unique_fd& to_read, unique_fd& to_write) noexcept;                         ///< pipe2(2)
bool replace(const unique_fd& by, const unique_fd& target) noexcept;                 ///< dup3(2) onto a number of the library's

/// recvmsg(2) of a message that may bring descriptors; the caller passes each of them through `received`.
ssize_t receive(int connection, msghdr& message, int flags) noexcept;
/// Takes over a descriptor that arrived in a message (SCM_RIGHTS), or that the parent left to this process by its number. It is
/// moved if it is below 3; if there is no room for that it is closed.
unique_fd received(int number) noexcept;

} // namespace sharedsock::detail::new_fd
