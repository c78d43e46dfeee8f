// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/supervisor_impl.hpp"

#include "base/descriptor_claims.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "prefork/needed_calls.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {
namespace {

using sharedsock::detail::last_error;
namespace new_fd = sharedsock::detail::new_fd;
using sharedsock::detail::throw_if;
using std::chrono::steady_clock;

constexpr int until_it_has_ended = 0; // an option of waitid(2): none

class busy_guard {
public:
    explicit busy_guard(bool& flag) noexcept : flag_(flag) { flag_ = true; }
    ~busy_guard() { flag_ = false; }
    busy_guard(const busy_guard&)            = delete;
    busy_guard& operator=(const busy_guard&) = delete;

private:
    bool& flag_;
};

} // namespace

supervisor_impl::supervisor_impl(options how, kind_of_worker what)
    : rules_(std::move(how)),
      what_(std::move(what)),
      path_(std::holds_alternative<program>(what_) ? std::get<program>(what_).path : std::string()),
      owner_(::getpid()),
      crew_(rules_, cooperates())
{
    error_code ec;
    if (rules_.workers > most_workers || rules_.surge > most_workers)
        ec = make_error_code(boost::system::errc::invalid_argument);
    else
        check_needed_calls(ec);
    if (!ec) loads_ = load_table::make(ec);
    throw_if(ec, "sharedsock::prefork::supervisor");
    self_ = new_fd::of_process(owner_);
    if (!self_)
        throw system_error(last_error(sharedsock::detail::sys<"pidfd_open">), "sharedsock::prefork::supervisor: pidfd_open");
}

supervisor_impl::~supervisor_impl()
{
    if (!is_ours()) {
        signals_.abandon();
        return;
    }
    prove_descriptors();
    if (crew_.status().stopping) signals_.discard(); // another request to stop is not to end this process by a signal
    for (const worker_process& one : processes_)
        one.signal(SIGKILL);
    for (const worker_process& one : processes_)
        if (one.process) one.collect(until_it_has_ended);
}

// Always called at the end: there may be no other sign that other code has replaced a descriptor, and SIGKILL through a pidfd of
// another process would hit that process.
void supervisor_impl::prove_descriptors() noexcept
{
    if (!events_.is_ours()) sharedsock::detail::descriptor_claims::doubt();
    events_.prove_own();
    for (std::size_t place = 0; place < processes_.size(); ++place) {
        worker_process& one   = processes_[place];
        const auto generation = crew_.seats()[place].generation;
        if (one.process && !events_.prove(one.process, {event_queue::source::death, place, generation}))
            sharedsock::detail::descriptor_claims::doubt();
        if (one.link) events_.prove(one.link.descriptor(), {event_queue::source::channel, place, generation});
    }
    events_.prove_own();
}

bool supervisor_impl::is_ours() const noexcept { return ::getpid() == owner_; }

void supervisor_impl::decide(const std::function<void(crew&, time_point)>& change)
{
    if (!is_ours()) return;
    change(crew_, steady_clock::now());
    carry_out();
}

// --- events -----------------------------------------------------------------------------------------------------------

void supervisor_impl::poll(error_code& ec)
{
    ec.clear();
    if (!is_ours()) {
        ec = make_error_code(boost::system::errc::operation_not_permitted);
        return;
    }
    if (!events_.is_ours()) { // other code of this process has closed its descriptors
        ec = make_error_code(boost::system::errc::bad_file_descriptor);
        return;
    }
    using source = event_queue::source;
    event_queue::batch room;
    for (std::size_t count = room.size(); count == room.size();) {
        const auto events = events_.take(room);
        count             = events.size();
        const auto each   = [&](source what, auto answer) {
            for (const event_queue::event& one : events)
                if (one.what == what && is_current(one)) answer(one.place);
        };
        // A terminal sends SIGINT to the workers as well: the supervisor answers the signal before the deaths that it has caused.
        each(source::signals, [this](std::size_t) { answer_signals(); });
        each(source::channel, [this](std::size_t place) { listen(place); });
        each(source::death, [this](std::size_t place) { reap(place); });
        look_at_workers();
        reap_orphans();
        crew_.passed(steady_clock::now());
        carry_out();
    }
    if (!crew_.status().given_up) return;
    ec = why_not_started();
    if (denied_call(ec) == nullptr) ec = errc::workers_keep_dying;
}

bool supervisor_impl::is_current(const event_queue::event& event) const noexcept
{
    if (event.what == event_queue::source::signals || event.what == event_queue::source::timer) return true;
    return event.place < processes_.size() && processes_[event.place].pid != 0 &&
           crew_.seats()[event.place].generation == event.generation;
}

void supervisor_impl::answer_signals()
{
    while (const auto number = signals_.next()) {
        const auto now           = steady_clock::now();
        const std::size_t wanted = crew_.status().wanted;
        if (*number == SIGHUP) {
            crew_.roll(now);
        } else if (*number == SIGTTIN) {
            if (wanted < most_workers) crew_.resize(wanted + 1, now);
        } else if (*number == SIGTTOU) {
            if (wanted > 1) crew_.resize(wanted - 1, now);
        } else {
            const auto means = stop_signals_.note(now, crew_.status().signaled, signals_.taken().one_request);
            if (means == stop_requests::meaning::stop) crew_.stop_by_signal(now);
            if (means == stop_requests::meaning::stop_now) crew_.stop_now(now);
        }
        carry_out();
    }
}

void supervisor_impl::listen(std::size_t place)
{
    message one{};
    while (processes_[place].link) {
        const channel::arrival what = processes_[place].link.receive(one);
        if (what == channel::arrival::nothing) return;
        worker_process& its = processes_[place];
        if (what == channel::arrival::end) {
            events_.remove(its.link.native_handle());
            its.link.close();
            crew_.cannot_start(place, steady_clock::now());
        } else if (one.what == message::kind::ready) {
            its.not_started.clear();
            crew_.said_ready(place, steady_clock::now());
        } else if (one.what == message::kind::leaving) {
            crew_.said_leaving(place, steady_clock::now());
        } else if (one.what == message::kind::retiring) {
            crew_.said_retiring(place, steady_clock::now());
        } else if (one.what == message::kind::appeared) {
            its.who = {one.index, one.generation};
        } else if (one.what == message::kind::failed) {
            its.reason      = text_of(one);
            its.not_started = error_of(one);
        }
    }
}

void supervisor_impl::reap(std::size_t place)
{
    listen(place); // reads the worker's last messages
    carry_out();   // tells of them before it tells of the end
    const auto exit = processes_[place].collect(WNOHANG);
    if (!exit) return;
    const seat& its     = crew_.seats()[place];
    const bool was_late = its.state == worker_state::killed && !its.leaving;
    worker_process& one = processes_[place];
    one.last_exit       = exit;
    one.failure         = its.hung ? make_error_code(errc::worker_hung) : error_code();
    if (was_late && !its.hung) one.failure = errc::worker_not_ready;
    tell(place, worker_state::ended);
    let_go(processes_[place]);
    appearance_.sweep();
    crew_.died(place, steady_clock::now(), ending_of(*exit, cooperates()));
    carry_out();
}

void supervisor_impl::let_go(worker_process& one) const noexcept
{
    if (one.process) events_.remove(one.process.get());
    if (one.link) events_.remove(one.link.native_handle());
    one.let_go();
}

// --- actions ----------------------------------------------------------------------------------------------------------

void supervisor_impl::carry_out()
{
    if (busy_) return; // called from `on_change`: the steps under way come first
    const busy_guard working(busy_);
    for (auto actions = crew_.take_actions(); !actions.empty(); actions = crew_.take_actions()) {
        if (processes_.size() < crew_.seats().size()) processes_.resize(crew_.seats().size());
        for (const action& one : actions)
            carry_out(one);
    }
    events_.wake_at(next_deadline());
    appearance_.say({worker_word::role::parent, static_cast<std::uint32_t>(crew_.status().wanted)});
}

void supervisor_impl::carry_out(const action& one)
{
    switch (one.what) {
    case action::kind::start:
        return launch(one.place);
    case action::kind::ask_to_drain: {
        error_code ec;
        processes_[one.place].link.send(make_message(message::kind::drain), ec);
        if (ec) crew_.cannot_hear(one.place, steady_clock::now());
        return;
    }
    case action::kind::terminate:
        return processes_[one.place].signal(SIGTERM);
    case action::kind::kill:
        return processes_[one.place].signal(SIGKILL);
    case action::kind::tell:
        return tell(one.place, one.state);
    }
}

void supervisor_impl::launch(std::size_t place)
{
    const launch_plan plan{place,
                           crew_.seats()[place].generation,
                           self_.get(),
                           &loads_,
                           cooperates() ? signals_.for_workers() : signals_.for_programs(),
                           rules_.parent_death_signal,
                           rules_.watchdog.count() > 0 ? rules_.watchdog : for_ever};
    loads_[place].store(0, std::memory_order_relaxed);
    loads_.beats(place).store(0, std::memory_order_relaxed);
    error_code ec;
    launched made = std::holds_alternative<program>(what_) ? launch_program(plan, std::get<program>(what_), path_, ec)
                                                           : launch_fork(
                                                                 plan, [this] { leave_to_child(); }, std::get<0>(what_), ec);
    if (!ec) events_.add(made.process.get(), {event_queue::source::death, place, plan.generation}, ec);
    if (!ec && made.link) events_.add(made.link.native_handle(), {event_queue::source::channel, place, plan.generation}, ec);
    worker_process& one = processes_[place];
    one.failure         = ec;
    if (ec) one.not_started = ec;
    one.pid     = made.pid;
    one.process = std::move(made.process);
    one.link    = std::move(made.link);
    if (ec) {
        one.signal(SIGKILL);
        if (one.process) one.collect(until_it_has_ended);
        let_go(one);
        return crew_.died(place, steady_clock::now());
    }
    tell(place, worker_state::starting);
    if (!processes_[place].link) crew_.said_ready(place, steady_clock::now());
}

void supervisor_impl::leave_to_child() noexcept
{
    for (worker_process& one : processes_) {
        one.process.reset();
        one.link.close();
    }
    self_.reset();
    events_.close();
    signals_.abandon();
}

// --- signals, the segment, status -------------------------------------------------------------------------------------

void supervisor_impl::take_signals(const signal_set& which, error_code& ec)
{
    if (signals_.native_handle() >= 0) events_.remove(signals_.native_handle());
    signals_.open(which, ec);
    if (signals_.native_handle() < 0) return;
    error_code unwatched;
    events_.add(signals_.native_handle(), {event_queue::source::signals}, unwatched);
    if (!ec) ec = unwatched;
}

void supervisor_impl::appear_in(const segment& where, error_code& ec)
{
    appearance_.in(where, {worker_word::role::parent, static_cast<std::uint32_t>(crew_.status().wanted)}, ec);
}

void supervisor_impl::tell(std::size_t place, worker_state state) const
{
    if (!rules_.on_change) return;
    worker_status now = status_of(place);
    now.state         = state;
    rules_.on_change(now);
}

worker_status supervisor_impl::status_of(std::size_t place) const
{
    const seat& its           = crew_.seats()[place];
    const worker_process& one = processes_[place];
    worker_status now;
    now.place      = place;
    now.generation = its.generation;
    now.restarts   = its.restarts;
    now.state      = its.state == worker_state::ready && one.is_stopped() ? worker_state::stopped : its.state;
    now.since      = its.since;
    now.pid        = one.pid;
    now.process    = one.who;
    now.load       = one.pid != 0 ? loads_[place].load(std::memory_order_relaxed) : 0;
    now.last_exit  = one.last_exit;
    now.failure    = one.failure;
    now.reason     = one.reason;
    return now;
}

error_code supervisor_impl::why_not_started() const
{
    for (std::size_t place = 0; place < processes_.size(); ++place)
        if (processes_[place].not_started && crew_.seats()[place].state != worker_state::ready)
            return processes_[place].not_started;
    return {};
}

std::vector<worker_status> supervisor_impl::status() const
{
    std::vector<worker_status> all;
    for (std::size_t place = 0; place < processes_.size(); ++place)
        if (crew_.seats()[place].state != worker_state::vacant) all.push_back(status_of(place));
    return all;
}

} // namespace sharedsock::prefork::detail
