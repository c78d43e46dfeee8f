// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/call_errors.hpp"

#include <cerrno>
#include <cstdint>
#include <map>
#include <string>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

namespace test {
namespace {

using errors = std::vector<int>;

struct row {
    const char* name;
    errors may_fail_with;
};

const std::map<std::uint64_t, row>& table()
{
    const errors descriptor{EMFILE, ENFILE, ENOMEM};
    const errors new_entry{EEXIST, EACCES, ENOSPC, EDQUOT, ENOMEM};
    static const std::map<std::uint64_t, row> rows{
        // Files. The library reads and writes FIFOs, counters, memory and /proc here.
        {SYS_openat, {"openat", {EACCES, EINTR, EMFILE, ENFILE, ENOENT, ENOMEM}}},
        {SYS_close, {"close", {EINTR, EIO}}},
        {SYS_read, {"read", {}}},
        {SYS_write, {"write", {}}},
        {SYS_pread64, {"pread", {EINTR}}},
        {SYS_pwrite64, {"pwrite", {EINTR, ENOSPC}}},
        {SYS_mkdirat, {"mkdirat", new_entry}},
        {SYS_mknodat, {"mknodat", new_entry}},
        {SYS_unlinkat, {"unlinkat", {EACCES, EBUSY, ENOENT, ENOMEM, EIO}}},
        {SYS_renameat2, {"renameat2", {EEXIST, ENOENT, EACCES, ENOSPC, ENOMEM}}},
#ifdef SYS_chmod
        {SYS_chmod, {"chmod", {EPERM, ENOENT, ENOMEM, EIO}}}, // the C library's way to follow no link
#endif
        {SYS_fchmodat, {"fchmodat", {EPERM, ENOENT, ENOMEM, EIO}}},
        {SYS_flock, {"flock", {EINTR, EWOULDBLOCK, ENOLCK}}},
        {SYS_getdents64, {"getdents64", {ENOENT, EIO}}},
        {SYS_fallocate, {"fallocate", {EINTR, ENOSPC, EIO}}},
        {SYS_ftruncate, {"ftruncate", {EINTR, EFBIG, EIO}}},
        {SYS_ioctl, {"ioctl", {}}},
        {SYS_lseek, {"lseek", {}}},
        {SYS_dup3, {"dup3", {EBUSY, EINTR, EMFILE}}},
        {SYS_pipe2, {"pipe2", descriptor}},
        {SYS_getrandom, {"getrandom", {EINTR}}},
        // Memory. munmap(2) and madvise(2) of whole mappings need none.
        {SYS_memfd_create, {"memfd_create", descriptor}},
        {SYS_mmap, {"mmap", {ENOMEM, EAGAIN}}},
        {SYS_mprotect, {"mprotect", {ENOMEM}}},
        // Sockets.
        {SYS_socket, {"socket", {EACCES, EMFILE, ENFILE, ENOBUFS, ENOMEM}}},
        {SYS_socketpair, {"socketpair", descriptor}},
        {SYS_bind, {"bind", {EACCES, EADDRINUSE, ENOMEM, ENOENT}}},
        {SYS_listen, {"listen", {EADDRINUSE}}},
        {SYS_connect, {"connect", {EACCES, EAGAIN, ECONNREFUSED, EADDRNOTAVAIL, EINTR, ENETUNREACH}}},
        {SYS_accept4, {"accept4", {EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO}}},
        {SYS_sendto, {"sendto", {EAGAIN, EINTR, ENOBUFS, ENOMEM, ECONNRESET}}},
        {SYS_sendmsg, {"sendmsg", {EAGAIN, EINTR, ENOBUFS, ENOMEM, ECONNRESET, ETOOMANYREFS, EMFILE}}},
        {SYS_recvfrom, {"recvfrom", {EAGAIN, EINTR, ENOMEM, ECONNREFUSED}}},
        {SYS_recvmsg, {"recvmsg", {EAGAIN, EINTR, ENOMEM}}}, // of local sockets
        {SYS_setsockopt, {"setsockopt", {ENOBUFS, ENOMEM}}},
        {SYS_getsockname, {"getsockname", {ENOBUFS}}},
        {SYS_getpeername, {"getpeername", {ENOBUFS}}},
        // Waiting.
        {SYS_poll, {"poll", {EINTR}}}, // a few descriptors are asked without memory
        {SYS_ppoll, {"ppoll", {EINTR}}},
        {SYS_epoll_create1, {"epoll_create1", descriptor}},
        {SYS_epoll_wait, {"epoll_wait", {EINTR}}},
        {SYS_epoll_pwait, {"epoll_pwait", {EINTR}}},
        {SYS_eventfd2, {"eventfd2", descriptor}},
        {SYS_timerfd_create, {"timerfd_create", descriptor}},
        {SYS_signalfd4, {"signalfd4", descriptor}},
        {SYS_clock_nanosleep, {"clock_nanosleep", {EINTR}}},
        // Processes.
        {SYS_clone, {"clone", {EAGAIN, ENOMEM}}},
        {SYS_clone3, {"clone3", {EAGAIN, ENOMEM}}},
        {SYS_wait4, {"wait4", {EINTR}}},
        {SYS_waitid, {"waitid", {EINTR}}},
        {SYS_pidfd_open, {"pidfd_open", {EMFILE, ENFILE, ENOMEM, ESRCH}}},
        {SYS_pidfd_getfd, {"pidfd_getfd", {EMFILE, ENFILE, EPERM, ESRCH}}},
    };
    return rows;
}

errors errors_of_fcntl(std::uint64_t command)
{
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return {EMFILE};
    case F_SETLK:
        return {EAGAIN, EACCES, EINTR, ENOLCK};
    case F_OFD_GETLK:
        return {EINTR, ENOLCK};
    case F_ADD_SEALS:
        return {EBUSY, EPERM};
    default:
        return {};
    }
}

bool is_fstat(const system_call& call) { return (call.arguments[3] & AT_EMPTY_PATH) != 0; }

} // namespace

std::vector<int> errors_of(const system_call& call)
{
    const bool counter = call.file.starts_with("anon_inode:"); // never sleeps, and never is full
    switch (call.number) {
    case SYS_read:
        return counter ? errors{EAGAIN} : errors{EINTR, EAGAIN};
    case SYS_write:
        return counter ? errors() : errors{EINTR, EAGAIN};
    case SYS_fcntl:
        return errors_of_fcntl(call.arguments[1]);
    case SYS_newfstatat:
        return is_fstat(call) ? errors{ENOMEM} : errors{EACCES, ENOMEM}; // ENOENT of a file that exists would be a lie
    case SYS_fstat:
        return errors{ENOMEM};
    case SYS_futex: // a wake cannot fail
        return (static_cast<int>(call.arguments[1]) & FUTEX_CMD_MASK) == FUTEX_WAKE ? errors() : errors{EAGAIN, EINTR};
    case SYS_epoll_ctl:
        return call.arguments[1] == EPOLL_CTL_ADD ? errors{ENOMEM, ENOSPC} : errors();
    default:
        break;
    }
    const auto found = table().find(call.number);
    return found != table().end() ? found->second.may_fail_with : errors();
}

bool made_though_failed(const system_call& call) { return call.number == SYS_close; }

std::string name_of(const system_call& call)
{
    const auto found = table().find(call.number);
    switch (call.number) {
    case SYS_newfstatat:
        return is_fstat(call) ? "fstat" : "fstatat";
    case SYS_fstat:
        return "fstat";
    case SYS_fcntl:
        return "fcntl " + std::to_string(call.arguments[1]);
    case SYS_futex:
        return "futex " + std::to_string(static_cast<int>(call.arguments[1]) & FUTEX_CMD_MASK);
    case SYS_epoll_ctl:
        return "epoll_ctl " + std::to_string(call.arguments[1]);
    default:
        return found != table().end() ? found->second.name : "call " + std::to_string(call.number);
    }
}

} // namespace test
