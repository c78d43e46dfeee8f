// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/event_queue.hpp"

#include "base/descriptor_proof.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <algorithm>
#include <chrono>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

namespace sharedsock::prefork::detail {
namespace {

using sharedsock::detail::last_error;
namespace new_fd = sharedsock::detail::new_fd;
using sharedsock::detail::or_throw;
using std::chrono::steady_clock;

// source | place | generation
std::uint64_t encode(const event_queue::event& about) noexcept
{
    return static_cast<std::uint64_t>(about.what) << 60 | std::uint64_t{about.place} << 32 | about.generation;
}
event_queue::event decode(std::uint64_t mark) noexcept
{
    return {static_cast<event_queue::source>(mark >> 60), mark >> 32 & 0xfff'ffff, static_cast<std::uint32_t>(mark)};
}

timespec to_timespec(std::chrono::nanoseconds span) noexcept
{
    return {static_cast<time_t>(span.count() / 1'000'000'000), static_cast<long>(span.count() % 1'000'000'000)};
}

unique_fd require(unique_fd descriptor, const sharedsock::detail::call_category& call)
{
    if (!descriptor) throw system_error(last_error(call), "sharedsock::prefork::supervisor");
    return descriptor;
}

} // namespace

event_queue::event_queue()
    : epoll_(require(new_fd::epoll(), sharedsock::detail::sys<"epoll_create1">)),
      timer_(require(new_fd::timer(), sharedsock::detail::sys<"timerfd_create">))
{
    or_throw("sharedsock::prefork::supervisor", [&](error_code& ec) { add(timer_.get(), {source::timer}, ec); });
}

void event_queue::add(int descriptor, const event& about, error_code& ec) const noexcept
{
    epoll_event wanted{};
    wanted.events   = EPOLLIN;
    wanted.data.u64 = encode(about);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &wanted) != 0) ec = last_error(sharedsock::detail::sys<"epoll_ctl">);
}

void event_queue::remove(int descriptor) const noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr); }

void event_queue::wake_at(time_point next) const noexcept
{
    itimerspec when{};
    // A time of all zeros would switch the timer off; a deadline that has passed is one nanosecond after boot.
    if (next != never) when.it_value = to_timespec(std::max(next.time_since_epoch(), steady_clock::duration(1)));
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

std::span<const event_queue::event> event_queue::take(batch& room) const noexcept
{
    epoll_event events[std::tuple_size_v<batch>];
    const int got    = ::epoll_wait(epoll_.get(), events, static_cast<int>(room.size()), 0);
    const auto count = static_cast<std::size_t>(std::max(got, 0));
    std::transform(events, events + count, room.begin(), [](const epoll_event& one) { return decode(one.data.u64); });
    return {room.data(), count};
}

void event_queue::wait(time_point limit) const noexcept
{
    pollfd ready{epoll_.get(), POLLIN, 0};
    const timespec left = to_timespec(std::max(limit - steady_clock::now(), steady_clock::duration(0)));
    ::ppoll(&ready, 1, limit == never ? nullptr : &left, nullptr);
}

bool event_queue::is_ours() const noexcept
{
    return sharedsock::detail::has_entry(epoll_, timer_, EPOLLIN, encode({source::timer}));
}

bool event_queue::prove(unique_fd& descriptor, const event& about) const noexcept
{
    const bool is_proven = sharedsock::detail::has_entry(epoll_, descriptor, EPOLLIN, encode(about));
    if (is_proven) descriptor.vouch();
    return is_proven;
}

void event_queue::prove_own() noexcept { sharedsock::detail::prove_entry(epoll_, timer_, EPOLLIN, encode({source::timer})); }

void event_queue::close() noexcept
{
    epoll_.reset();
    timer_.reset();
}

} // namespace sharedsock::prefork::detail
