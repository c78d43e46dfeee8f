// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/turn_alarm.hpp"

#include "base/descriptor_proof.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <cstdint>
#include <utility>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

unique_fd periodic(std::chrono::milliseconds patrol, error_code& ec) noexcept
{
    unique_fd timer    = new_fd::timer();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patrol);
    const timespec period{seconds.count(), static_cast<long>(std::chrono::nanoseconds(patrol - seconds).count())};
    const itimerspec when{period, period};
    if (!timer) {
        ec = last_error(sys<"timerfd_create">);
    } else if (::timerfd_settime(timer.get(), 0, &when, nullptr) != 0) {
        ec = last_error(sys<"timerfd_settime">);
        timer.reset();
    }
    return timer;
}

} // namespace

turn_alarm::~turn_alarm() { prove(); }

void turn_alarm::prove() noexcept
{
    if (!epoll_.doubtful()) return;
    deaths_.prove();
    prove_entry(epoll_, timer_, EPOLLIN, 0);
    deaths_.prove_in(epoll_, EPOLLIN, 0);
}

void turn_alarm::open(std::chrono::milliseconds patrol, error_code& ec)
{
    ec.clear();
    if (epoll_) return;
    free_abandoned();
    deaths_.open(ec);
    if (ec) return;
    unique_fd both = new_fd::epoll();
    if (!both || !add_to_epoll(both.get(), deaths_.native_handle(), EPOLLIN)) {
        ec = last_error(both ? sys<"epoll_ctl"> : sys<"epoll_create1">);
        return;
    }
    if (patrol.count() > 0) {
        timer_ = periodic(patrol, ec);
        if (timer_ && !add_to_epoll(both.get(), timer_.get(), EPOLLIN)) ec = last_error(sys<"epoll_ctl">);
        if (ec) return;
    }
    epoll_ = std::move(both);
}

void turn_alarm::abandon() noexcept
{
    prove();
    deaths_.lock();
    deaths_.abandon();
    deaths_.unlock();
    timer_.reset();
    epoll_.reset();
}

void turn_alarm::free_abandoned() noexcept
{
    deaths_.lock();
    deaths_.free_abandoned();
    deaths_.unlock();
}

void turn_alarm::answer(membership& self) noexcept
{
    std::uint64_t times = 0;
    if (timer_ && ::read(timer_.get(), &times, sizeof times) < 0) times = 0; // the wake-up was a death, not the timer
    deaths_.answer(self);
}

} // namespace sharedsock::detail
