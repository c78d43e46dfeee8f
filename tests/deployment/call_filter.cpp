// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "deployment/call_filter.hpp"

#include <cerrno>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace test {

std::string kernel_name(std::uint64_t number)
{
#define SHAREDSOCK_CALL(name)                                                                                                      \
    {                                                                                                                              \
        SYS_##name, #name                                                                                                          \
    }
    static const std::map<std::uint64_t, const char*> names{
#ifdef SYS_access
        SHAREDSOCK_CALL(access),
        SHAREDSOCK_CALL(chmod),
        SHAREDSOCK_CALL(epoll_wait),
        SHAREDSOCK_CALL(poll),
        SHAREDSOCK_CALL(readlink),
#endif
        SHAREDSOCK_CALL(accept),
        SHAREDSOCK_CALL(accept4),
        SHAREDSOCK_CALL(bind),
        SHAREDSOCK_CALL(brk),
        SHAREDSOCK_CALL(clock_nanosleep),
        SHAREDSOCK_CALL(clone),
        SHAREDSOCK_CALL(clone3),
        SHAREDSOCK_CALL(close),
        SHAREDSOCK_CALL(connect),
        SHAREDSOCK_CALL(dup3),
        SHAREDSOCK_CALL(epoll_create1),
        SHAREDSOCK_CALL(epoll_ctl),
        SHAREDSOCK_CALL(epoll_pwait),
        SHAREDSOCK_CALL(eventfd2),
        SHAREDSOCK_CALL(execve),
        SHAREDSOCK_CALL(exit),
        SHAREDSOCK_CALL(exit_group),
        SHAREDSOCK_CALL(faccessat),
        SHAREDSOCK_CALL(fallocate),
        SHAREDSOCK_CALL(fchmod),
        SHAREDSOCK_CALL(fchmodat),
        SHAREDSOCK_CALL(fcntl),
        SHAREDSOCK_CALL(flock),
        SHAREDSOCK_CALL(fstat),
        SHAREDSOCK_CALL(ftruncate),
        SHAREDSOCK_CALL(futex),
        SHAREDSOCK_CALL(getdents64),
        SHAREDSOCK_CALL(geteuid),
        SHAREDSOCK_CALL(getpeername),
        SHAREDSOCK_CALL(getpid),
        SHAREDSOCK_CALL(getppid),
        SHAREDSOCK_CALL(getrandom),
        SHAREDSOCK_CALL(getsockname),
        SHAREDSOCK_CALL(getsockopt),
        SHAREDSOCK_CALL(gettid),
        SHAREDSOCK_CALL(ioctl),
        SHAREDSOCK_CALL(kill),
        SHAREDSOCK_CALL(listen),
        SHAREDSOCK_CALL(lseek),
        SHAREDSOCK_CALL(madvise),
        SHAREDSOCK_CALL(memfd_create),
        SHAREDSOCK_CALL(mkdirat),
        SHAREDSOCK_CALL(mknodat),
        SHAREDSOCK_CALL(mmap),
        SHAREDSOCK_CALL(mprotect),
        SHAREDSOCK_CALL(munmap),
        SHAREDSOCK_CALL(newfstatat),
        SHAREDSOCK_CALL(openat),
        SHAREDSOCK_CALL(pidfd_getfd),
        SHAREDSOCK_CALL(pidfd_open),
        SHAREDSOCK_CALL(pidfd_send_signal),
        SHAREDSOCK_CALL(pipe2),
        SHAREDSOCK_CALL(ppoll),
        SHAREDSOCK_CALL(prctl),
        SHAREDSOCK_CALL(pread64),
        SHAREDSOCK_CALL(prlimit64),
        SHAREDSOCK_CALL(pwrite64),
        SHAREDSOCK_CALL(read),
        SHAREDSOCK_CALL(readlinkat),
        SHAREDSOCK_CALL(recvfrom),
        SHAREDSOCK_CALL(recvmsg),
        SHAREDSOCK_CALL(renameat2),
        SHAREDSOCK_CALL(restart_syscall),
        SHAREDSOCK_CALL(rseq),
        SHAREDSOCK_CALL(rt_sigaction),
        SHAREDSOCK_CALL(rt_sigpending),
        SHAREDSOCK_CALL(rt_sigprocmask),
        SHAREDSOCK_CALL(rt_sigreturn),
        SHAREDSOCK_CALL(rt_sigtimedwait),
        SHAREDSOCK_CALL(sched_yield),
        SHAREDSOCK_CALL(sendmsg),
        SHAREDSOCK_CALL(sendto),
        SHAREDSOCK_CALL(set_robust_list),
        SHAREDSOCK_CALL(setsockopt),
        SHAREDSOCK_CALL(shutdown),
        SHAREDSOCK_CALL(signalfd4),
        SHAREDSOCK_CALL(socket),
        SHAREDSOCK_CALL(socketpair),
        SHAREDSOCK_CALL(statx),
        SHAREDSOCK_CALL(tgkill),
        SHAREDSOCK_CALL(timerfd_create),
        SHAREDSOCK_CALL(timerfd_settime),
        SHAREDSOCK_CALL(unlinkat),
        SHAREDSOCK_CALL(wait4),
        SHAREDSOCK_CALL(waitid),
        SHAREDSOCK_CALL(write),
    };
#undef SHAREDSOCK_CALL
    const auto found = names.find(number);
    return found != names.end() ? found->second : "call " + std::to_string(number);
}

std::uint64_t kernel_number(const std::string& name)
{
    for (std::uint64_t number = 0; number < 1'000; ++number)
        if (kernel_name(number) == name) return number;
    throw std::invalid_argument("no system call is called '" + name + "'");
}

namespace {

void install(std::vector<sock_filter> program)
{
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        throw std::system_error(errno, std::generic_category(), "a filter of system calls");
}

// All calls in the set get the one answer, and all others the other.
void filter(const std::set<std::uint64_t>& calls, std::uint32_t answer, std::uint32_t others)
{
    std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const std::uint64_t call : calls) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, others));
    install(std::move(program));
}

} // namespace

void permit_only(const std::set<std::uint64_t>& calls, int error)
{
    filter(calls, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
}

void deny_call(std::uint64_t number, int error)
{
    filter({number}, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error), SECCOMP_RET_ALLOW);
}

} // namespace test
