// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/signal_source.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <array>
#include <utility>

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::sys;
namespace new_fd = sharedsock::detail::new_fd;
using sharedsock::detail::uninterrupted;

namespace {

constexpr std::array stop_signals{SIGTERM, SIGINT, SIGQUIT};

bool is_ignored(int signal) noexcept
{
    struct sigaction now {};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

sigset_t wanted_of(const signal_set& which) noexcept
{
    sigset_t wanted;
    sigemptyset(&wanted);
    const auto take = [&](bool is_wanted, int signal) {
        if (is_wanted) sigaddset(&wanted, signal);
    };
    // A program that is to outlive its terminal, or that a script has put into the background, is started with these ignored.
    for (const int signal : stop_signals)
        take(which.stop && (signal == SIGTERM || !is_ignored(signal)), signal);
    take(which.roll && !is_ignored(SIGHUP), SIGHUP);
    take(which.count, SIGTTIN);
    take(which.count, SIGTTOU);
    return wanted;
}

} // namespace

sigset_t blocked_stop_signals() noexcept
{
    sigset_t blocked, stop;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    sigemptyset(&stop);
    for (const int signal : stop_signals)
        if (sigismember(&blocked, signal) == 1) sigaddset(&stop, signal);
    return stop;
}

signal_source::~signal_source()
{
    if (events_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void signal_source::open(const signal_set& which, error_code& ec) noexcept
{
    ec.clear();
    const sigset_t wanted = wanted_of(which);
    unique_fd events      = new_fd::signals(wanted);
    if (!events) {
        ec = last_error(sys<"signalfd4">);
        return;
    }
    if (events_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); // undoes an earlier choice
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    events_ = std::move(events);
    which_  = which;
    wanted_ = wanted;
}

void signal_source::abandon() noexcept { events_.reset(); }

std::optional<int> signal_source::next() noexcept
{
    signalfd_siginfo arrived;
    const auto size = uninterrupted([&] { return ::read(events_.get(), &arrived, sizeof arrived); });
    if (size != static_cast<ssize_t>(sizeof arrived)) return std::nullopt;
    return static_cast<int>(arrived.ssi_signo);
}

void signal_source::discard() noexcept
{
    while (events_ && next()) {
    }
}

worker_signals signal_source::for_programs() const noexcept
{
    worker_signals theirs{before_, false};
    if (!events_) ::pthread_sigmask(SIG_SETMASK, nullptr, &theirs.mask);
    return theirs;
}

worker_signals signal_source::for_workers() const noexcept
{
    worker_signals theirs = for_programs();
    if (!events_ || !which_.workers) return theirs;
    ::sigorset(&theirs.mask, &theirs.mask, &wanted_);
    theirs.are_requests = which_.stop;
    return theirs;
}

} // namespace sharedsock::prefork::detail
