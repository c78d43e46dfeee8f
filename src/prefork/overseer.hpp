// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "appearance.hpp"
#include "channel.hpp"
#include "crew.hpp"
#include "launch.hpp"
#include "load_table.hpp"
#include "signal_source.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/status.hpp>
#include <sharedsock/prefork/worker.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

struct epoll_event;

namespace sharedsock::prefork::detail {

/// What is behind a `supervisor`: carries out what the `crew` decides, and tells it what has happened.
class overseer {
public:
    using kind_of_worker = std::variant<std::function<int(worker&)>, program>;

    overseer(options how, kind_of_worker what); ///< throws `system_error`
    ~overseer();
    overseer(const overseer&)            = delete;
    overseer& operator=(const overseer&) = delete;

    /// Has the crew decide something, and carries it out. Nothing in a process that is not the one that made this.
    void decide(const std::function<void(crew&, time_point)>& change);

    void poll(error_code& ec);
    void wait(time_point limit) const noexcept; ///< until `poll` has something to do; EINTR ends it as well

    void take_signals(const signal_set& which, error_code& ec);
    void appear_in(const segment& where, error_code& ec);

    int native_handle() const noexcept { return events_.get(); }
    std::vector<worker_status> status() const;
    crew_status crew_now() const noexcept { return crew_.status(); }

private:
    // What belongs to a seat of the crew.
    struct hand {
        pid_t pid = 0; // 0: no process
        unique_fd process;
        channel link;
        process_id who;
        std::optional<exit_status> last_exit;
        error_code failure;
        std::string reason;
    };

    bool is_ours() const noexcept;
    void watch(int descriptor, std::uint64_t mark, error_code& ec) const noexcept;
    void unwatch(int descriptor) const noexcept;
    bool is_current(const epoll_event& event) const noexcept;

    void answer_signals();
    void listen(std::size_t place);
    void reap(std::size_t place);
    void carry_out();
    void carry_out(const action& one);
    void launch(std::size_t place);
    void forget_process(hand& one) const noexcept;
    void signal(std::size_t place, int number) const noexcept;
    void tell(std::size_t place, worker_state state) const;
    void set_timer() const noexcept;
    void leave_to_child() noexcept; // in a forked worker
    worker_status status_of(std::size_t place) const;

    const options rules_;
    const kind_of_worker what_;
    const pid_t owner_;
    crew crew_;
    std::vector<hand> hands_; // as long as the crew's seats
    load_table loads_;
    unique_fd self_; // pidfd of this process, for the workers
    unique_fd events_;
    unique_fd timer_;
    signal_source signals_;
    appearance appearance_;
    bool busy_ = false; // carrying out
};

} // namespace sharedsock::prefork::detail
