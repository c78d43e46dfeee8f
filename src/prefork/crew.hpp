// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "prefork/respawn_policy.hpp"

#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sharedsock::prefork::detail {

/// A step that the crew asks its caller for, or a change that the caller has to report.
struct action {
    enum class kind : std::uint8_t { start, ask_to_drain, terminate, kill, tell };
    kind what;
    std::size_t place;
    worker_state state; ///< of `tell`: the place's state now

    friend bool operator==(const action&, const action&) = default;
};

/// How a worker's process ended, as far as it matters for its place.
enum class ending : std::uint8_t { orderly, failed, by_signal };

/// A program that does not cooperate ends in order by SIGTERM, too.
ending ending_of(const exit_status& how, bool cooperates) noexcept;

/// The watchdog looks so many times within its limit.
inline constexpr int looks = 8;

/// One look at a worker that is ready, for the watchdog.
struct sighting {
    std::size_t place   = 0;
    std::uint32_t beats = 0; ///< how many it has made
    bool is_stopped     = false;
};

/// One place for a worker.
struct seat {
    worker_state state       = worker_state::vacant;
    std::uint32_t generation = 0; ///< the number of workers that it has had
    std::uint32_t restarts   = 0;
    std::uint32_t failures   = 0;     ///< in a row, for the back-off
    std::uint32_t round      = 0;     ///< the rolling restart that its worker came with
    std::uint64_t order      = 0;     ///< the later a worker was started, of all places, the higher
    bool leaving             = false; ///< its worker was asked to end, which is no failure
    bool replacing           = false; ///< its next worker takes the place of one that died
    bool retiring            = false; ///< its worker has asked for a successor, and that one is not ready yet
    bool hung                = false; ///< its worker was killed for want of a sign of life
    time_point since{};
    time_point deadline = never; ///< the state may last until then
    time_point ready_since{};    ///< if the worker has been ready
    time_point alive_at{};       ///< of the last sign of life
    std::uint32_t beats   = 0;   ///< that were seen then
    std::uint32_t overdue = 0;   ///< looks since then for which the limit was over

    bool serves() const noexcept { return state == worker_state::ready || state == worker_state::stopped; }
    bool runs() const noexcept
    {
        return state != worker_state::vacant && state != worker_state::backing_off && state != worker_state::ended;
    }
};

/// Decides what becomes of the workers, from reports and their times. It makes no system call and reads no clock: the caller brings
/// the time, carries out `take_actions` in their order, and reports the results.
///
/// A worker's life: starting, ready, draining, terminating, killed; from each of them it may die. A ready one may be stopped, and
/// go on. A place is vacant before and after, backing off between a worker that died and the next one, or ended when the crew has
/// given up.
///
/// Places from `wanted` on are spare: they have workers while a roll or a retirement is under way.
class crew {
public:
    /// `cooperates`: whether workers know of the request to drain; else SIGTERM is the request, and also the next step.
    explicit crew(const options& rules, bool cooperates = true);

    // --- requests -----------------------------------------------------------------------------------------------------

    void start(time_point now); ///< begins, or begins again after `stop` or after it has given up
    void resize(std::size_t workers, time_point now);
    void roll(time_point now);
    void stop(time_point now);
    void stop_by_signal(time_point now);
    void stop_now(time_point now);

    // --- reports ------------------------------------------------------------------------------------------------------

    void said_ready(std::size_t place, time_point now);
    /// The worker can never become ready: it said so, or has closed its channel. It gets a moment to die by itself.
    void cannot_start(std::size_t place, time_point now);
    void cannot_hear(std::size_t place, time_point now);                       ///< the worker does not hear the request to drain
    void said_leaving(std::size_t place, time_point now);                      ///< a signal has asked the worker to drain
    void said_retiring(std::size_t place, time_point now);                     ///< the worker asks for a successor
    void died(std::size_t place, time_point now, ending how = ending::failed); ///< the worker died, or could not be started
    void passed(time_point now);                                               ///< time has passed

    /// The watchdog has to see all workers that are ready or stopped, and report with `looked`.
    bool look_is_due(time_point now) const noexcept { return now >= next_look_; }
    void looked(std::span<const sighting> all, time_point now);

    // --- actions and status -------------------------------------------------------------------------------------------

    std::vector<action> take_actions();
    time_point next_deadline() const noexcept; ///< the time for the next `passed`; `never` for none

    bool begun() const noexcept { return begun_; } ///< `start` or `stop` was called
    const std::vector<seat>& seats() const noexcept { return seats_; }
    crew_status status() const noexcept;

private:
    bool watches() const noexcept;
    std::size_t target() const noexcept;
    std::size_t retiring_count() const noexcept;
    std::size_t ready_count() const noexcept;
    void settle(time_point now);
    void settle_seat(std::size_t place, std::size_t most, time_point now);
    bool settle_roll(time_point now);
    void settle_retirements(time_point now);
    void launch(std::size_t place, time_point now);
    void leave(std::size_t place, time_point now);
    void terminate(std::size_t place, time_point now);
    void kill(std::size_t place, time_point now);
    void enter(std::size_t place, worker_state state, time_point now, time_point deadline = never);
    void try_again() noexcept;

    const options rules_;
    const bool cooperates_;
    std::size_t wanted_;
    std::vector<seat> seats_;
    std::vector<action> actions_;
    death_counter deaths_;
    time_point next_look_ = never;
    std::size_t killed_   = 0; // since `stop`
    std::uint32_t round_  = 0;
    std::uint64_t order_  = 0;
    bool begun_           = false;
    bool rolling_         = false;
    bool stopping_        = false;
    bool signaled_        = false; // it was a signal that asked for the stop
    bool given_up_        = false;
};

} // namespace sharedsock::prefork::detail
