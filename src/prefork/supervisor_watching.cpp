// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Looks at the workers for the watchdog, and reaps the orphans of a container.
#include "base/syscall.hpp"
#include "prefork/supervisor_impl.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <variant>
#include <vector>

#include <sys/wait.h>

namespace sharedsock::prefork::detail {
namespace {

using sharedsock::detail::uninterrupted;
using std::chrono::steady_clock;

constexpr std::chrono::seconds between_reaps{1};

} // namespace

void supervisor_impl::look_at_workers()
{
    const auto now = steady_clock::now();
    if (!crew_.look_is_due(now)) return;
    std::vector<sighting> all;
    for (std::size_t place = 0; place < processes_.size(); ++place)
        if (crew_.seats()[place].serves())
            all.push_back({place, loads_.beats(place).load(std::memory_order_relaxed), processes_[place].is_stopped()});
    crew_.looked(all, now);
    carry_out();
}

// A dead worker that is met here is reaped as its pidfd would have it: a later look would find it again and again.
void supervisor_impl::reap_orphans()
{
    if (!rules_.reap_orphans) return;
    for (;;) {
        siginfo_t dead{};
        if (uninterrupted([&] { return ::waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT); }) != 0 || dead.si_pid == 0) break;
        const auto found =
            std::find_if(processes_.begin(), processes_.end(), [&](const worker_process& one) { return one.pid == dead.si_pid; });
        if (found == processes_.end()) {
            ::waitid(P_PID, static_cast<id_t>(dead.si_pid), &dead, WEXITED | WNOHANG);
            continue;
        }
        const auto place      = static_cast<std::size_t>(found - processes_.begin());
        const auto generation = crew_.seats()[place].generation;
        reap(place);
        if (processes_[place].pid == dead.si_pid && crew_.seats()[place].generation == generation) break; // its pidfd is lost
    }
    next_reap_ = steady_clock::now() + between_reaps;
}

time_point supervisor_impl::next_deadline() const noexcept
{
    return rules_.reap_orphans ? std::min(crew_.next_deadline(), next_reap_) : crew_.next_deadline();
}

bool supervisor_impl::cooperates() const noexcept
{
    return std::holds_alternative<program>(what_) ? std::get<program>(what_).cooperates : true;
}

} // namespace sharedsock::prefork::detail
