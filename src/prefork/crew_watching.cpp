// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The watchdog: which of the workers that are ready live.
#include "prefork/crew.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

namespace sharedsock::prefork::detail {
namespace {

// A worker is killed at the look after so many for which its limit was over. The first of them may come late: a terminal has
// stopped and continued the whole process group, say. The worker has the time until the others for a sign of life.
constexpr std::uint32_t overdue_looks = 2;

} // namespace

bool crew::watches() const noexcept { return cooperates_ && rules_.watchdog != for_ever; }

void crew::looked(std::span<const sighting> all, time_point now)
{
    for (const sighting& each : all) {
        seat& one = seats_[each.place];
        if (!one.serves()) continue;
        const auto state = each.is_stopped ? worker_state::stopped : worker_state::ready;
        if (state != one.state) enter(each.place, state, now);
        if (each.beats != one.beats) {
            one.beats    = each.beats;
            one.alive_at = now;
            one.overdue  = 0;
        }
        if (now - one.alive_at < rules_.watchdog || one.overdue++ < overdue_looks) continue;
        one.hung = true;
        kill(each.place, now);
    }
    const bool is_any = std::any_of(seats_.begin(), seats_.end(), [](const seat& one) { return one.serves(); });
    next_look_        = is_any ? later(now, rules_.watchdog / looks) : never;
    settle(now);
}

} // namespace sharedsock::prefork::detail
