// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/respawn_policy.hpp"

namespace sharedsock::prefork::detail {

std::chrono::nanoseconds delay_after(std::uint32_t failures, const back_off& rules) noexcept
{
    if (failures == 0) return {};
    std::chrono::nanoseconds delay = rules.first;
    for (std::uint32_t i = 1; i < failures && delay.count() > 0 && delay < rules.most; ++i)
        delay = delay > rules.most / 2 ? rules.most : delay * 2;
    return delay < rules.most ? delay : rules.most;
}

bool death_counter::note(time_point now)
{
    if (rules_.deaths == 0) return false;
    while (!deaths_.empty() && now - deaths_.front() > rules_.within)
        deaths_.pop_front();
    deaths_.push_back(now);
    return deaths_.size() >= rules_.deaths;
}

} // namespace sharedsock::prefork::detail
