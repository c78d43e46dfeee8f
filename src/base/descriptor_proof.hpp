// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>

#include <sys/stat.h>
#include <sys/types.h>

/// How an owner knows that its descriptor still is what it was, after a doubt (descriptor_claims).
namespace sharedsock::detail {

/// Which file a descriptor refers to, for files that have an inode of their own.
class file_mark {
public:
    file_mark() noexcept = default;
    explicit file_mark(int descriptor) noexcept; ///< one fstat(2)
    explicit file_mark(const struct ::stat& file) noexcept : device_(file.st_dev), inode_(file.st_ino) {}
    /// Whether the descriptor refers to that file now. True if the kernel cannot say, for want of memory.
    bool is_on(const unique_fd& descriptor) const noexcept;
    /// Vouches for the descriptor if it refers to that file; the result is that of `is_on`.
    bool prove(unique_fd& descriptor) const noexcept;

private:
    dev_t device_ = 0;
    ino_t inode_  = 0; // 0: not known
};

/// Epolls, eventfds, timers and pidfds share one inode, so a `file_mark` cannot prove them. If an epoll contains a descriptor as it
/// was added, that proves both: the kernel's entry is of the number and of the file. One epoll_ctl(2), which changes nothing.
bool has_entry(const unique_fd& epoll, const unique_fd& descriptor, std::uint32_t events, std::uint64_t data) noexcept;
/// Vouches for both if the epoll has that entry; the result is that of `has_entry`.
bool prove_entry(unique_fd& epoll, unique_fd& descriptor, std::uint32_t events, std::uint64_t data) noexcept;

/// Lets go of a descriptor that is not proven, without closing it. False if there was one.
bool keep_proven(unique_fd& descriptor, bool is_proven) noexcept;

/// SO_COOKIE: which socket a descriptor refers to; 0 if it refers to none.
std::uint64_t cookie_of(int descriptor) noexcept;
/// Vouches for a socket that has this SO_COOKIE.
bool prove_socket(unique_fd& descriptor, std::uint64_t cookie) noexcept;

} // namespace sharedsock::detail
