// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/signal_source.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <initializer_list>
#include <utility>

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::sys;
namespace new_fd = sharedsock::detail::new_fd;
using sharedsock::detail::uninterrupted;

signal_source::~signal_source()
{
    if (events_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void signal_source::open(const signal_set& which, error_code& ec) noexcept
{
    ec.clear();
    sigset_t wanted;
    sigemptyset(&wanted);
    const auto take = [&](bool is_wanted, std::initializer_list<int> signals) {
        for (const int signal : signals)
            if (is_wanted) sigaddset(&wanted, signal);
    };
    take(which.stop, {SIGTERM, SIGINT});
    take(which.roll, {SIGHUP});
    take(which.count, {SIGTTIN, SIGTTOU});
    unique_fd events = new_fd::signals(wanted);
    if (!events) {
        ec = last_error(sys<"signalfd4">);
        return;
    }
    if (events_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); // undoes an earlier choice
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    events_ = std::move(events);
}

void signal_source::abandon() noexcept { events_.reset(); }

std::optional<int> signal_source::next() noexcept
{
    signalfd_siginfo arrived;
    const auto size = uninterrupted([&] { return ::read(events_.get(), &arrived, sizeof arrived); });
    if (size != static_cast<ssize_t>(sizeof arrived)) return std::nullopt;
    return static_cast<int>(arrived.ssi_signo);
}

sigset_t signal_source::mask_before() const noexcept
{
    sigset_t mask = before_;
    if (!events_) ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return mask;
}

} // namespace sharedsock::prefork::detail
