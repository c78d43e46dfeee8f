// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/worker_process.hpp"

#include "base/syscall.hpp"

#include <csignal>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::uninterrupted;

void worker_process::signal(int number) const noexcept
{
    if (!process) return;
    if (!process.doubtful())
        ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0); // ESRCH: the worker is dead already
    else if (is_our_child())
        ::kill(pid, number);
}

// The kernel does not give a child's pid to another process before the child is reaped.
bool worker_process::is_our_child() const noexcept
{
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool worker_process::is_stopped() const noexcept
{
    siginfo_t info{};
    const bool by_pid = process.doubtful();
    return process &&
           ::waitid(by_pid ? P_PID : P_PIDFD, static_cast<id_t>(by_pid ? pid : process.get()), &info,
                    WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
}

std::optional<exit_status> worker_process::collect(int options) const noexcept
{
    siginfo_t info{};
    const bool by_pid = process.doubtful();
    const int result  = uninterrupted([&] {
        return ::waitid(by_pid ? P_PID : P_PIDFD, static_cast<id_t>(by_pid ? pid : process.get()), &info, WEXITED | options);
    });
    if (result != 0) return exit_status{}; // ECHILD: other code has reaped it
    if (info.si_pid == 0) return std::nullopt;
    return info.si_code == CLD_EXITED ? exit_status{true, info.si_status, 0} : exit_status{true, 0, info.si_status};
}

void worker_process::let_go() noexcept
{
    process.reset();
    link.close();
    pid = 0;
    who = {};
}

} // namespace sharedsock::prefork::detail
