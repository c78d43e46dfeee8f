// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/crew.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace sharedsock::prefork::detail {
namespace {

constexpr std::chrono::seconds grace{1}; // a worker that ends closes its channel a little before it dies

void vacate(seat& one) noexcept
{
    one.state    = worker_state::vacant;
    one.deadline = never;
}

options normal(options rules)
{
    if (rules.max_unavailable == 0 && rules.surge == 0) rules.max_unavailable = 1;
    if (rules.watchdog.count() <= 0) rules.watchdog = for_ever;
    return rules;
}

} // namespace

ending ending_of(const exit_status& how, bool cooperates) noexcept
{
    if (how.well() || (!cooperates && how.signal == SIGTERM)) return ending::orderly;
    return how.signal != 0 ? ending::by_signal : ending::failed;
}

crew::crew(const options& rules, bool cooperates)
    : rules_(normal(rules)), cooperates_(cooperates), wanted_(rules.workers), deaths_(rules.limit)
{}

// --- requests -------------------------------------------------------------------------------------------------------

void crew::start(time_point now)
{
    begun_    = true;
    stopping_ = false;
    signaled_ = false;
    killed_   = 0;
    try_again();
    settle(now);
}

void crew::resize(std::size_t workers, time_point now)
{
    wanted_ = workers;
    try_again();
    settle(now);
}

void crew::stop(time_point now)
{
    begun_    = true;
    stopping_ = true;
    rolling_  = false;
    for (seat& one : seats_)
        one.retiring = false;
    settle(now);
}

void crew::stop_by_signal(time_point now)
{
    stop(now);
    signaled_ = true;
}

void crew::stop_now(time_point now)
{
    stop(now);
    for (std::size_t place = 0; place < seats_.size(); ++place)
        if (seats_[place].runs()) kill(place, now);
}

void crew::try_again() noexcept
{
    if (!given_up_) return;
    given_up_ = false;
    deaths_.forget();
    for (seat& one : seats_) {
        one.failures = 0;
        if (one.state == worker_state::ended) one.state = worker_state::vacant;
    }
}

// --- reports --------------------------------------------------------------------------------------------------------

void crew::said_ready(std::size_t place, time_point now)
{
    seat& one = seats_[place];
    if (one.state != worker_state::starting) return; // too late, or the worker was asked to end meanwhile
    enter(place, worker_state::ready, now);
    one.ready_since = now;
    one.alive_at    = now;
    one.retiring    = false; // it is the successor
    if (watches()) next_look_ = std::min(next_look_, later(now, rules_.watchdog / looks));
    settle(now);
}

void crew::cannot_start(std::size_t place, time_point now)
{
    seat& one = seats_[place];
    if (one.state == worker_state::starting) one.deadline = std::min(one.deadline, later(now, grace));
}

void crew::cannot_hear(std::size_t place, time_point now)
{
    seat& one = seats_[place];
    if (one.state == worker_state::draining) one.deadline = now;
}

void crew::said_leaving(std::size_t place, time_point now)
{
    seat& one = seats_[place];
    if (one.state != worker_state::starting && !one.serves()) return;
    one.leaving = true;
    enter(place, worker_state::draining, now, later(now, rules_.drain.asked));
    settle(now);
}

void crew::died(std::size_t place, time_point now, ending how)
{
    seat& one            = seats_[place];
    const bool was_ready = one.ready_since != time_point{};
    const bool lasted    = was_ready && now - one.ready_since >= rules_.respawn.stable;
    if (lasted) one.failures = 0;
    if (stopping_ && was_ready && how == ending::by_signal) ++killed_;
    // A program that does not cooperate has not said that it was ready, so its early end may be a start that failed.
    const bool is_done = how == ending::orderly && (cooperates_ ? was_ready : lasted);
    if (one.leaving || is_done) {
        enter(place, worker_state::vacant, now);
        return settle(now);
    }
    if (!was_ready && one.failures == 0) one.failures = 1;
    const auto delay = delay_after(one.failures++, rules_.respawn);
    one.replacing    = true;
    if (deaths_.note(now)) given_up_ = true;
    enter(place, worker_state::backing_off, now, later(now, delay));
    // A start that has just failed is not tried again at once, even if the rules allow it: it may fail for ever.
    if (was_ready && delay.count() <= 0) vacate(one);
    settle(now);
}

void crew::passed(time_point now)
{
    for (std::size_t place = 0; place < seats_.size(); ++place) {
        seat& one = seats_[place];
        if (one.deadline > now) continue;
        one.deadline = never;
        if (one.state == worker_state::draining)
            terminate(place, now);
        else if (one.state == worker_state::starting || one.state == worker_state::terminating)
            kill(place, now);
        else if (one.state == worker_state::backing_off)
            vacate(one);
    }
    settle(now);
}

// --- decisions ------------------------------------------------------------------------------------------------------

std::size_t crew::target() const noexcept
{
    if (!begun_ || stopping_) return 0;
    const std::size_t for_roll = rolling_ ? rules_.surge : 0;
    const std::size_t retired  = std::min(retiring_count(), std::max<std::size_t>(rules_.surge, 1));
    return std::min(wanted_ + std::max(for_roll, retired), most_workers);
}

std::size_t crew::ready_count() const noexcept
{
    return static_cast<std::size_t>(
        std::count_if(seats_.begin(), seats_.end(), [](const seat& one) { return one.state == worker_state::ready; }));
}

void crew::settle(time_point now)
{
    do {
        const std::size_t most = target();
        if (seats_.size() < most) seats_.resize(most);
        for (std::size_t place = 0; place < seats_.size(); ++place)
            settle_seat(place, most, now);
    } while (settle_roll(now));
    settle_retirements(now);
}

void crew::settle_seat(std::size_t place, std::size_t most, time_point now)
{
    seat& one = seats_[place];
    if (place >= most) {
        if (one.state == worker_state::starting || one.serves())
            leave(place, now);
        else if (!one.runs() && one.state != worker_state::vacant)
            enter(place, worker_state::vacant, now);
    } else if (given_up_) {
        const bool is_empty = one.state == worker_state::backing_off || one.state == worker_state::vacant;
        if (is_empty && one.generation != 0) enter(place, worker_state::ended, now);
    } else if (one.state == worker_state::vacant) {
        launch(place, now);
    }
}

void crew::launch(std::size_t place, time_point now)
{
    seat& one       = seats_[place];
    one.leaving     = false;
    one.hung        = false;
    one.beats       = 0;
    one.overdue     = 0;
    one.round       = round_;
    one.order       = ++order_;
    one.ready_since = {};
    ++one.generation;
    one.restarts += std::exchange(one.replacing, false) ? 1 : 0;
    one.state    = worker_state::starting; // the caller that starts it tells of the state
    one.since    = now;
    one.deadline = later(now, rules_.start_limit);
    actions_.push_back({action::kind::start, place, one.state});
}

void crew::leave(std::size_t place, time_point now)
{
    seats_[place].leaving = true;
    const auto request    = cooperates_ ? action::kind::ask_to_drain : action::kind::terminate;
    actions_.push_back({request, place, worker_state::draining});
    enter(place, worker_state::draining, now, later(now, rules_.drain.asked));
}

void crew::terminate(std::size_t place, time_point now)
{
    actions_.push_back({action::kind::terminate, place, worker_state::terminating});
    enter(place, worker_state::terminating, now, later(now, rules_.drain.terminated));
}

void crew::kill(std::size_t place, time_point now)
{
    actions_.push_back({action::kind::kill, place, worker_state::killed});
    enter(place, worker_state::killed, now);
}

void crew::enter(std::size_t place, worker_state state, time_point now, time_point deadline)
{
    seat& one    = seats_[place];
    one.state    = state;
    one.since    = now;
    one.deadline = deadline;
    actions_.push_back({action::kind::tell, place, state});
}

// --- status ---------------------------------------------------------------------------------------------------------

std::vector<action> crew::take_actions() { return std::exchange(actions_, {}); }

time_point crew::next_deadline() const noexcept
{
    time_point next = next_look_;
    for (const seat& one : seats_)
        next = std::min(next, one.deadline);
    return next;
}

crew_status crew::status() const noexcept
{
    crew_status now;
    now.wanted   = wanted_;
    now.ready    = ready_count();
    now.retiring = retiring_count();
    now.killed   = killed_;
    now.rolling  = rolling_;
    now.stopping = stopping_;
    now.signaled = signaled_;
    now.given_up = given_up_;
    now.finished = stopping_ && std::none_of(seats_.begin(), seats_.end(), [](const seat& one) { return one.runs(); });
    return now;
}

} // namespace sharedsock::prefork::detail
