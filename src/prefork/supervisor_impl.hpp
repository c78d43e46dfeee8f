// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "prefork/appearance.hpp"
#include "prefork/crew.hpp"
#include "prefork/event_queue.hpp"
#include "prefork/launch.hpp"
#include "prefork/load_table.hpp"
#include "prefork/program_path.hpp"
#include "prefork/signal_source.hpp"
#include "prefork/stop_requests.hpp"
#include "prefork/worker_process.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/status.hpp>
#include <sharedsock/prefork/worker.hpp>

#include <cstddef>
#include <functional>
#include <variant>
#include <vector>

namespace sharedsock::prefork::detail {

/// The implementation of `supervisor`: carries out the decisions of the `crew`, and reports events to it.
class supervisor_impl {
public:
    using kind_of_worker = std::variant<std::function<int(worker&)>, program>;

    supervisor_impl(options how, kind_of_worker what); ///< throws `system_error`
    ~supervisor_impl();
    supervisor_impl(const supervisor_impl&)            = delete;
    supervisor_impl& operator=(const supervisor_impl&) = delete;

    /// Has the crew decide, and carries the decision out. Does nothing in a process other than the one that made this object.
    void decide(const std::function<void(crew&, time_point)>& change);

    void poll(error_code& ec);
    void wait(time_point limit) const noexcept { events_.wait(limit); } ///< until `poll` has something to do, or a signal came

    void take_signals(const signal_set& which, error_code& ec);
    void appear_in(const segment& where, error_code& ec);

    int native_handle() const noexcept { return events_.native_handle(); }
    std::vector<worker_status> status() const;
    /// The kernel's error when a worker that is missing now could not be started; none if no start has failed so.
    error_code why_not_started() const;
    crew_status crew_now() const noexcept { return crew_.status(); }

private:
    bool is_ours() const noexcept;
    bool is_current(const event_queue::event& event) const noexcept;

    void answer_signals();
    void listen(std::size_t place);
    void reap(std::size_t place);
    void look_at_workers(); // for the watchdog, when it is time
    void reap_orphans();    // if that is wanted
    bool cooperates() const noexcept;
    time_point next_deadline() const noexcept;
    void carry_out();
    void carry_out(const action& one);
    void launch(std::size_t place);
    void let_go(worker_process& one) const noexcept;
    void tell(std::size_t place, worker_state state) const;
    void prove_descriptors() noexcept;
    void leave_to_child() noexcept; // in a forked worker
    worker_status status_of(std::size_t place) const;

    const options rules_;
    const kind_of_worker what_;
    const program_path path_; // of a program
    const pid_t owner_;
    crew crew_;
    std::vector<worker_process> processes_; // as long as the crew's seats
    load_table loads_;
    unique_fd self_; // pidfd of this process, for the workers
    event_queue events_;
    signal_source signals_;
    stop_requests stop_signals_;
    appearance appearance_;
    time_point next_reap_{}; // of orphans
    bool busy_ = false;      // carrying out
};

} // namespace sharedsock::prefork::detail
