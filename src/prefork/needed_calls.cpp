// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/needed_calls.hpp"

#include "base/syscall.hpp"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {

void check_needed_calls(error_code& ec) noexcept
{
    using sharedsock::detail::sys;
    constexpr int none =
        -1; // no descriptor: the call fails, but not with the error of a filter. The C library answers some such calls itself
    ec.clear();
    const auto check = [&](const sharedsock::detail::call_category& call, long result) {
        if (!ec && result < 0 && (errno == EPERM || errno == ENOSYS)) ec = sharedsock::detail::last_error(call);
    };
    struct stat status;
    epoll_event event;
    itimerspec no_alarm{};
    siginfo_t info;
    const timespec at_once{};
    check(sys<"newfstatat">, ::fstatat(AT_FDCWD, "/", &status, 0));
    check(sys<"epoll_wait">, ::epoll_wait(none, &event, 1, 0));
    check(sys<"poll">, ::poll(nullptr, 0, 0));
    check(sys<"ppoll">, ::ppoll(nullptr, 0, &at_once, nullptr));
    check(sys<"prctl">, ::prctl(PR_GET_DUMPABLE));
    check(sys<"timerfd_settime">, ::timerfd_settime(none, 0, &no_alarm, nullptr));
    check(sys<"recvfrom">, ::recv(none, nullptr, 0, MSG_DONTWAIT));
    check(sys<"sendto">, ::send(none, nullptr, 0, MSG_DONTWAIT | MSG_NOSIGNAL));
    check(sys<"waitid">, ::waitid(P_PIDFD, static_cast<id_t>(none), &info, WEXITED | WNOHANG));
    check(sys<"pidfd_send_signal">, ::syscall(SYS_pidfd_send_signal, none, 0, nullptr, 0));
}

} // namespace sharedsock::prefork::detail
