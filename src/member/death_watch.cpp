// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "member/death_watch.hpp"

#include "base/descriptor_proof.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "tables/process_table.hpp"

#include <boost/assert.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <new>
#include <span>
#include <utility>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr std::uint64_t timer_mark   = ~std::uint64_t{0}; // no process has these indexes
constexpr std::uint64_t common_mark  = timer_mark - 1;
constexpr long look_again_ns         = 20'000'000;
constexpr std::uint32_t death_events = EPOLLIN | EPOLLONESHOT;
constexpr std::uint32_t bell_events  = EPOLLIN | EPOLLET; // no process reads it

std::uint64_t mark_of(process_id who) noexcept { return std::uint64_t{who.generation} << 32 | who.index; }

} // namespace

void death_watch::open(error_code& ec, unique_fd* common_bell)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    if (epoll_) return;
    unique_fd made = new_fd::epoll();
    if (!made)
        ec = last_error(sys<"epoll_create1">);
    else if (common_bell != nullptr && !add_to_epoll(made.get(), common_bell->get(), bell_events, common_mark))
        ec = last_error(sys<"epoll_ctl">);
    if (ec) return;
    epoll_       = std::move(made);
    common_bell_ = common_bell;
}

void death_watch::watch_holders(membership& self, std::uint32_t socket) noexcept
try {
    const std::uint32_t count = self.bytes().capacity.processes;
    const std::uint32_t own   = self.self().index;
    std::array<std::uint32_t, limit> nearest; // distances from this process's index, round the table; the least first, each once
    std::uint32_t* end = nearest.begin();
    handle_table::for_each(self.bytes(), socket, [&](std::uint32_t, const handle_record& record) {
        const handle_life life = load(record);
        if (life.state != handle_state::held || life.process == own || life.process >= count) return true;
        const std::uint32_t distance = (life.process + count - own) % count;
        std::uint32_t* const place   = std::lower_bound(nearest.begin(), end, distance);
        if (place == nearest.end() || (place != end && *place == distance)) return true;
        if (end != nearest.end()) ++end; // else the farthest drops out
        std::move_backward(place, end - 1, end);
        *place = distance;
        return true;
    });
    for (const std::uint32_t distance : std::span(nearest.begin(), end)) {
        const std::uint32_t index = (own + distance) % count;
        watch(self, {index, load(*self.bytes().process(index)).generation});
    }
} catch (const std::bad_alloc&) { // the next sweep notices the death
}

void death_watch::watch(membership& self, process_id who)
{
    bool dead = false;
    {
        const std::scoped_lock lock(mutex_);
        if (!epoll_ || watched_.contains(who) || polled_.contains(who)) return;
        const bool has_alarm = watch_pidfd(self, who);
        dead                 = !self.alive(who); // asked last: from here on the alarm reports a death
        if (!dead && !has_alarm) {
            polled_.insert(who);
            set_timer();
        }
        if (dead) watched_.erase(who);
    }
    if (dead) self.sweep_if_dead(who.index);
}

// The pid may be another process's by the time that it is opened. It is the right process if the kernel names it once more as the
// holder of the byte: then it has lived in between.
bool death_watch::watch_pidfd(membership& self, process_id who)
{
    const pid_t pid = self.pid_of(who);
    if (pid <= 0) return false;
    unique_fd pidfd = new_fd::of_process(pid);
    if (!pidfd || self.pid_of(who) != pid) return false;
    if (!add_to_epoll(epoll_.get(), pidfd.get(), death_events, mark_of(who))) return false;
    watched_.emplace(who, std::move(pidfd));
    return true;
}

void death_watch::answer(membership& self) noexcept
try {
    epoll_event events[16];
    for (int more = 16; more == 16;) {
        std::vector<process_id> dead;
        std::vector<process_id> polled;
        {
            const std::scoped_lock lock(mutex_);
            unsettled_.reserve(unsettled_.size() + std::size(events)); // all memory before anything is taken
            polled.reserve(polled_.size());
            dead.reserve(unsettled_.capacity() + polled_.size());
            const bool timer_ran = timer_runs_;
            more                 = epoll_ ? ::epoll_wait(epoll_.get(), events, std::size(events), 0) : 0;
            take_reports(more, events);
            if (timer_ran && !timer_runs_) polled.assign(polled_.begin(), polled_.end());
            dead.swap(unsettled_);
        }
        // Without the mutex: a sweep may have to wait for the lock of a socket.
        std::erase_if(polled, [&](const process_id& who) { return self.alive(who); });
        dead.insert(dead.end(), polled.begin(), polled.end());
        std::erase_if(dead, [&](const process_id& who) { return settled(self, who); });
        const std::scoped_lock lock(mutex_);
        for (const process_id& who : polled)
            polled_.erase(who);
        if (unsettled_.empty()) unsettled_.swap(dead);
        unsettled_.insert(unsettled_.end(), dead.begin(), dead.end());
        set_timer();
    }
} catch (const std::bad_alloc&) { // tried again at the next occasion
    const std::scoped_lock lock(mutex_);
    set_timer();
}

void death_watch::take_reports(int more, const epoll_event* events)
{
    for (int i = 0; i < more; ++i) {
        const std::uint64_t mark = events[i].data.u64;
        if (mark == timer_mark) {
            std::uint64_t times = 0;
            static_cast<void>(::read(timer_.get(), &times, sizeof times)); // another thread may have read it
            timer_runs_ = false;
            continue;
        }
        if (mark == common_mark) continue; // the wake-up is all
        unsettled_.push_back({static_cast<std::uint32_t>(mark), static_cast<std::uint32_t>(mark >> 32)});
        watched_.erase(unsettled_.back());
    }
}

bool death_watch::settled(membership& self, process_id dead) const noexcept
{
    if (self.sweep_if_dead(dead.index)) return true;
    const process_record& record = *self.bytes().process(dead.index);
    return !process_table::may_need_sweep(record) || self.alive({dead.index, load(record).generation}); // a new incarnation
}

void death_watch::set_timer() noexcept
{
    const bool soon = !unsettled_.empty();
    if (!soon && (polled_.empty() || timer_runs_)) return;
    if (!timer_) {
        timer_ = new_fd::timer();
        if (!timer_ || !add_to_epoll(epoll_.get(), timer_.get(), EPOLLIN, timer_mark)) timer_.reset();
    }
    const itimerspec at{{}, {0, soon ? look_again_ns : std::chrono::nanoseconds(poll_interval).count()}};
    timer_runs_ = timer_ && ::timerfd_settime(timer_.get(), 0, &at, nullptr) == 0; // else the next watch or answer tries again
}

bool death_watch::prove() noexcept
{
    const std::scoped_lock lock(mutex_);
    bool all_are = keep_proven(timer_, prove_entry(epoll_, timer_, EPOLLIN, timer_mark));
    for (auto& [who, pidfd] : watched_)
        all_are &= keep_proven(pidfd, prove_entry(epoll_, pidfd, death_events, mark_of(who)));
    if (watched_.empty() && !timer_ && common_bell_ != nullptr)
        all_are &= keep_proven(epoll_, prove_entry(epoll_, *common_bell_, bell_events, common_mark));
    return all_are;
}

void death_watch::prove_in(unique_fd& epoll, std::uint32_t events, std::uint64_t data) noexcept
{
    const std::scoped_lock lock(mutex_);
    prove_entry(epoll, epoll_, events, data);
}

void death_watch::abandon() noexcept
{
    for (auto& [who, pidfd] : watched_)
        pidfd.reset();
    BOOST_ASSERT(watched_by_parent_.empty() && polled_by_parent_.empty());
    watched_by_parent_.swap(watched_);
    polled_by_parent_.swap(polled_);
    unsettled_.clear(); // keeps its memory
    timer_.reset();
    timer_runs_ = false;
    epoll_.reset();
}

void death_watch::free_abandoned() noexcept
{
    watched_by_parent_.clear();
    polled_by_parent_.clear();
}

} // namespace sharedsock::detail
