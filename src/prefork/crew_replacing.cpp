// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Rolling restarts, and workers that retire.
#include "prefork/crew.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace sharedsock::prefork::detail {
namespace {

// The places of the first `count` seats for which `is_one` holds; the worker that was started first comes first.
template <class Condition>
std::vector<std::size_t> oldest_first(const std::vector<seat>& seats, std::size_t count, Condition is_one)
{
    std::vector<std::size_t> places;
    for (std::size_t place = 0; place < std::min(count, seats.size()); ++place)
        if (is_one(seats[place])) places.push_back(place);
    std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) { return seats[a].order < seats[b].order; });
    return places;
}

} // namespace

// A worker that is starting does not serve, so none is missing when it ends: the new version comes at once. But during another roll
// it becomes ready first: rolls that come faster than a worker starts would keep it from that for ever.
void crew::roll(time_point now)
{
    if (!begun_ || stopping_) return;
    ++round_;
    const bool was_rolling = std::exchange(rolling_, true);
    try_again();
    for (std::size_t place = 0; !was_rolling && place < std::min(wanted_, seats_.size()); ++place)
        if (seats_[place].state == worker_state::starting) leave(place, now);
    settle(now);
}

// Asks as many old workers to end as may be missing. True when the restart is over, and the extra places are too many.
bool crew::settle_roll(time_point now)
{
    if (!rolling_ || given_up_) return false;
    const std::size_t least = wanted_ - std::min(wanted_, rules_.max_unavailable);
    std::size_t ready       = ready_count();
    const auto is_old       = [this](const seat& one) { return one.serves() && one.round != round_; };
    for (const std::size_t place : oldest_first(seats_, wanted_, is_old)) {
        const bool is_ready = seats_[place].state == worker_state::ready;
        if (is_ready && ready <= least) continue;
        leave(place, now);
        ready -= is_ready;
    }
    const auto wanted_end = seats_.begin() + static_cast<std::ptrdiff_t>(wanted_);
    const bool all_new    = std::all_of(seats_.begin(), wanted_end,
                                        [&](const seat& one) { return one.state == worker_state::ready && one.round == round_; });
    if (all_new) rolling_ = false;
    return all_new;
}

void crew::said_retiring(std::size_t place, time_point now)
{
    seat& one = seats_[place];
    if (!one.serves() || stopping_) return;
    one.retiring = true;
    settle(now);
}

std::size_t crew::retiring_count() const noexcept
{
    const auto end = seats_.begin() + static_cast<std::ptrdiff_t>(std::min(wanted_, seats_.size()));
    return static_cast<std::size_t>(std::count_if(seats_.begin(), end, [](const seat& one) { return one.retiring; }));
}

// A worker that retires drains when a spare serves for it. If all places are in use, there is none.
void crew::settle_retirements(time_point now)
{
    if (stopping_) return;
    const std::size_t least = std::min(wanted_, most_workers - 1);
    std::size_t ready       = ready_count();
    for (const std::size_t place : oldest_first(seats_, wanted_, [](const seat& one) { return one.retiring && one.serves(); })) {
        const bool is_ready = seats_[place].state == worker_state::ready;
        if (is_ready && ready <= least) continue;
        leave(place, now);
        ready -= is_ready;
    }
}

} // namespace sharedsock::prefork::detail
