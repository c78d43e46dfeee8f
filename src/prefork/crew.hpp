// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "prefork/respawn_policy.hpp"

#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/status.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sharedsock::prefork::detail {

/// What a crew wants done, or told.
struct action {
    enum class kind : std::uint8_t { start, ask_to_drain, terminate, kill, tell };
    kind what;
    std::size_t place;
    worker_state state; ///< of `tell`: that the place is in now

    friend bool operator==(const action&, const action&) = default;
};

/// One place for a worker.
struct seat {
    worker_state state       = worker_state::vacant;
    std::uint32_t generation = 0; ///< how many workers it has had
    std::uint32_t restarts   = 0;
    std::uint32_t failures   = 0;     ///< one after the other, for the back-off
    std::uint32_t round      = 0;     ///< the rolling restart that its worker came with
    bool leaving             = false; ///< its worker is to end, and will be no failure
    bool replacing           = false; ///< its next worker takes the place of one that died
    time_point since{};
    time_point deadline = never; ///< when the state has lasted too long
    time_point ready_since{};    ///< if the worker has been ready

    bool runs() const noexcept
    {
        return state != worker_state::vacant && state != worker_state::backing_off && state != worker_state::ended;
    }
};

/// Decides what becomes of the workers: from what has happened, and when, to what is to be done. No system call, no clock: the
/// caller brings the time, carries out `take_actions` in their order, and says how it went.
///
/// A worker's life: starting, ready, draining, terminating, killed; from each of them it may die. A place is vacant before and
/// after, backing off between a worker that died and the next one, or ended when the crew has given up.
class crew {
public:
    /// `cooperates`: whether workers know of the request to drain; else SIGTERM is the request, and also the next step.
    explicit crew(const options& rules, bool cooperates = true);

    // --- what is wanted -----------------------------------------------------------------------------------------------

    void start(time_point now); ///< begins, or begins again after `stop` or after it has given up
    void resize(std::size_t workers, time_point now);
    void roll(time_point now);
    void stop(time_point now);
    void stop_now(time_point now);

    // --- what has happened --------------------------------------------------------------------------------------------

    void said_ready(std::size_t place, time_point now);
    /// It can never become ready: it said so, or has closed its channel. A moment is left to it to die by itself.
    void cannot_start(std::size_t place, time_point now);
    void cannot_hear(std::size_t place, time_point now); ///< the request to drain
    void died(std::size_t place, time_point now);        ///< or could not be started
    void passed(time_point now);                         ///< time has

    // --- what to do, and how it stands --------------------------------------------------------------------------------

    std::vector<action> take_actions();
    time_point next_deadline() const noexcept; ///< when `passed` has something to do; `never`

    bool begun() const noexcept { return begun_; } ///< `start` or `stop` was called
    const std::vector<seat>& seats() const noexcept { return seats_; }
    crew_status status() const noexcept;

private:
    std::size_t target() const noexcept;
    std::size_t ready_count() const noexcept;
    void settle(time_point now);
    void settle_seat(std::size_t place, time_point now);
    bool settle_roll(time_point now);
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
    std::uint32_t round_ = 0;
    bool begun_          = false;
    bool rolling_        = false;
    bool stopping_       = false;
    bool given_up_       = false;
};

} // namespace sharedsock::prefork::detail
