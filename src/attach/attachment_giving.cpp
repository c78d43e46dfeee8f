// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The giving side of acknowledged hand-overs: how the threads of this process hear that one is settled.
#include "attach/attachment.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "tables/process_table.hpp"

#include <chrono>
#include <ctime>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include <sys/timerfd.h>

namespace sharedsock::detail {
namespace {

constexpr std::chrono::nanoseconds at_once{1};

// Zero: it does not ring. A failure could only be that of a descriptor that other code has closed; then the tick of the waiting
// thread takes the place of the alarm.
void set(const unique_fd& alarm, std::chrono::nanoseconds in) noexcept
{
    if (!alarm || alarm.doubtful()) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(in);
    const itimerspec at{{}, {static_cast<std::time_t>(seconds.count()), static_cast<long>((in - seconds).count())}};
    ::timerfd_settime(alarm.get(), 0, &at, nullptr);
}

} // namespace

unique_fd attachment::take_alarm(error_code& ec)
{
    ec.clear();
    {
        const std::scoped_lock lock(mutex_);
        if (spare_alarm_ && !spare_alarm_.doubtful()) return std::move(spare_alarm_);
    }
    unique_fd made = new_fd::timer();
    if (!made) ec = last_error(sys<"timerfd_create">);
    return made;
}

void attachment::await_taker(outgoing_hand_over& one) noexcept
{
    {
        const std::scoped_lock lock(mutex_);
        outgoing_.push_back(one);
    }
    try {
        if (one.target != member_.self()) deaths_.watch(member_, one.target);
    } catch (const std::bad_alloc&) { // the tick of the waiting thread notices the death
    }
}

void attachment::stop_awaiting(outgoing_hand_over& one) noexcept
{
    const std::scoped_lock lock(mutex_);
    if (one.is_linked()) one.unlink();
    if (one.alarm_kept) return set(one.alarm, at_once);
    if (spare_alarm_ && !spare_alarm_.doubtful()) return;
    if (one.alarm_wanted) set(one.alarm, {}); // it may ring already
    spare_alarm_ = std::move(one.alarm);
}

void attachment::want_alarm(outgoing_hand_over& one, std::optional<std::chrono::nanoseconds> at_the_latest) noexcept
{
    const std::scoped_lock lock(mutex_);
    one.alarm_wanted = true;
    if (at_the_latest) set(one.alarm, *at_the_latest);
}

void attachment::keep_alarm(outgoing_hand_over& one) noexcept
{
    const std::scoped_lock lock(mutex_);
    one.alarm_wanted = true;
    one.alarm_kept   = true;
    if (!one.is_linked()) set(one.alarm, at_once);
}

bool attachment::is_settled(const outgoing_hand_over& one) const noexcept
{
    return member_.judge_giving(one.record) != membership::giving_standing::waits ||
           !process_table::is_incarnation(member_.bytes(), one.target.index, one.target.generation);
}

void attachment::alarm_givers() noexcept
{
    const std::scoped_lock lock(mutex_);
    for (const outgoing_hand_over& one : outgoing_)
        if (one.alarm_wanted && is_settled(one)) set(one.alarm, at_once);
}

} // namespace sharedsock::detail
