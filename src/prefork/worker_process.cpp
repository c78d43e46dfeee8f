// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/worker_process.hpp"

#include "base/syscall.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::uninterrupted;

void hand::signal(int number) const noexcept
{
    if (process) ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0); // ESRCH: it is dead already
}

std::optional<exit_status> hand::collect(int options) const noexcept
{
    siginfo_t info{};
    const int result = uninterrupted([&] { return ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED | options); });
    if (result != 0) return exit_status{}; // ECHILD: whoever it was that reaped it
    if (info.si_pid == 0) return std::nullopt;
    return info.si_code == CLD_EXITED ? exit_status{true, info.si_status, 0} : exit_status{true, 0, info.si_status};
}

void hand::let_go() noexcept
{
    process.reset();
    link.close();
    pid = 0;
    who = {};
}

} // namespace sharedsock::prefork::detail
