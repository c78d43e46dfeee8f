// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/descriptor_proof.hpp"

#include "base/epoll.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <sys/stat.h>

namespace sharedsock::detail {

namespace {

// The kernel refuses these in an epoll, with EPERM.
bool cannot_be_polled(int descriptor) noexcept
{
    struct stat status;
    const int error  = errno;
    const bool found = ::fstat(descriptor, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
    errno            = error;
    return found;
}

} // namespace

file_mark::file_mark(int descriptor) noexcept
{
    if (descriptor < 0) return; // errno still says why there is none
    struct stat status;
    if (::fstat(descriptor, &status) != 0) return;
    device_ = status.st_dev;
    inode_  = status.st_ino;
}

bool file_mark::is_on(const unique_fd& descriptor) const noexcept
{
    if (!descriptor || descriptor.overtaken()) return false;
    struct stat status;
    if (::fstat(descriptor.get(), &status) != 0) return errno != EBADF;
    return inode_ == 0 || (status.st_dev == device_ && status.st_ino == inode_);
}

bool file_mark::prove(unique_fd& descriptor) const noexcept
{
    const bool is_proven = is_on(descriptor);
    if (is_proven) descriptor.vouch();
    return is_proven;
}

bool has_entry(const unique_fd& epoll, const unique_fd& descriptor, std::uint32_t events, std::uint64_t data) noexcept
{
    if (!epoll || !descriptor || epoll.overtaken() || descriptor.overtaken()) return false;
    if (change_in_epoll(epoll.get(), descriptor.get(), events, data)) return true;
    // These errors mean that one of the two is another file now. Any other error (no memory) proves nothing against them.
    if (errno == EPERM) return !cannot_be_polled(descriptor.get()); // else a filter of system calls denies epoll_ctl
    return errno != EBADF && errno != EINVAL && errno != ENOENT && errno != ELOOP;
}

bool prove_entry(unique_fd& epoll, unique_fd& descriptor, std::uint32_t events, std::uint64_t data) noexcept
{
    const bool is_proven = has_entry(epoll, descriptor, events, data);
    if (is_proven) {
        epoll.vouch();
        descriptor.vouch();
    }
    return is_proven;
}

bool keep_proven(unique_fd& descriptor, bool is_proven) noexcept { return is_proven || descriptor.release() < 0; }

std::uint64_t cookie_of(int descriptor) noexcept
{
    std::uint64_t cookie = 0;
    socklen_t size       = sizeof cookie;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

bool prove_socket(unique_fd& descriptor, std::uint64_t cookie) noexcept
{
    std::uint64_t found = 0;
    socklen_t size      = sizeof found;
    if (!descriptor || descriptor.overtaken() || cookie == 0) return false;
    const bool is_told   = ::getsockopt(descriptor.get(), SOL_SOCKET, SO_COOKIE, &found, &size) == 0;
    const bool is_proven = is_told ? found == cookie : errno != EBADF && errno != ENOTSOCK && errno != ENOPROTOOPT;
    if (is_proven) descriptor.vouch();
    return is_proven;
}

} // namespace sharedsock::detail
