// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "overseer.hpp"

#include "last_error.hpp"

#include <array>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {
namespace {

using sharedsock::detail::last_error;
using sharedsock::detail::uninterrupted;
using std::chrono::steady_clock;

// What an event is about: source | place | generation of the worker, so that one of a worker that has gone is told apart.
enum class source : std::uint64_t { signals, channel, death, timer };

constexpr std::uint64_t mark_of(source what, std::size_t place = 0, std::uint32_t generation = 0) noexcept
{
    return static_cast<std::uint64_t>(what) << 60 | std::uint64_t{place} << 32 | generation;
}
source source_of(const epoll_event& event) noexcept { return static_cast<source>(event.data.u64 >> 60); }
std::size_t place_of(const epoll_event& event) noexcept { return event.data.u64 >> 32 & 0xfff'ffff; }

timespec to_timespec(std::chrono::nanoseconds span) noexcept
{
    return {static_cast<time_t>(span.count() / 1'000'000'000), static_cast<long>(span.count() % 1'000'000'000)};
}

exit_status collect(const unique_fd& process, int options, bool& is_dead) noexcept
{
    siginfo_t info{};
    const int result = uninterrupted([&] { return ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED | options); });
    is_dead          = result != 0 || info.si_pid != 0; // ECHILD: whoever it was that reaped it
    if (result != 0 || info.si_pid == 0) return {};
    return info.si_code == CLD_EXITED ? exit_status{true, info.si_status, 0} : exit_status{true, 0, info.si_status};
}

class busy_guard {
public:
    explicit busy_guard(bool& flag) noexcept : flag_(flag) { flag_ = true; }
    ~busy_guard() { flag_ = false; }
    busy_guard(const busy_guard&)            = delete;
    busy_guard& operator=(const busy_guard&) = delete;

private:
    bool& flag_;
};

void require(bool done)
{
    if (!done) throw system_error(last_error(), "sharedsock::prefork::supervisor");
}

} // namespace

overseer::overseer(options how, kind_of_worker what)
    : rules_(std::move(how)),
      what_(std::move(what)),
      owner_(::getpid()),
      crew_(rules_, std::holds_alternative<program>(what_) ? std::get<program>(what_).cooperates : true)
{
    error_code ec;
    if (rules_.workers > most_workers || rules_.surge > most_workers)
        ec = make_error_code(boost::system::errc::invalid_argument);
    else
        loads_ = load_table::make(ec);
    if (ec) throw system_error(ec, "sharedsock::prefork::supervisor");
    self_.reset(static_cast<int>(::syscall(SYS_pidfd_open, owner_, 0)));
    require(static_cast<bool>(self_));
    events_.reset(::epoll_create1(EPOLL_CLOEXEC));
    require(static_cast<bool>(events_));
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    require(static_cast<bool>(timer_));
    watch(timer_.get(), mark_of(source::timer), ec);
    if (ec) throw system_error(ec, "sharedsock::prefork::supervisor");
}

overseer::~overseer()
{
    if (!is_ours()) {
        signals_.abandon();
        return;
    }
    for (std::size_t place = 0; place < hands_.size(); ++place)
        signal(place, SIGKILL);
    bool is_dead = false;
    for (hand& one : hands_)
        if (one.process) collect(one.process, 0, is_dead);
}

bool overseer::is_ours() const noexcept { return ::getpid() == owner_; }

void overseer::decide(const std::function<void(crew&, time_point)>& change)
{
    if (!is_ours()) return;
    change(crew_, steady_clock::now());
    carry_out();
}

// --- what has happened ------------------------------------------------------------------------------------------------

void overseer::poll(error_code& ec)
{
    ec.clear();
    if (!is_ours()) {
        ec = make_error_code(boost::system::errc::operation_not_permitted);
        return;
    }
    std::array<epoll_event, 64> events;
    for (std::size_t count = events.size(); count == events.size();) {
        const int got   = ::epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), 0);
        count           = got > 0 ? static_cast<std::size_t>(got) : 0;
        const auto each = [&](source what, auto answer) {
            for (std::size_t i = 0; i < count; ++i)
                if (source_of(events[i]) == what && is_current(events[i])) answer(place_of(events[i]));
        };
        // A terminal sends SIGINT to the workers as well: what it means comes before what it has done.
        each(source::signals, [this](std::size_t) { answer_signals(); });
        each(source::channel, [this](std::size_t place) { listen(place); });
        each(source::death, [this](std::size_t place) { reap(place); });
        crew_.passed(steady_clock::now());
        carry_out();
    }
    if (crew_.status().given_up) ec = errc::workers_keep_dying;
}

bool overseer::is_current(const epoll_event& event) const noexcept
{
    if (source_of(event) == source::signals || source_of(event) == source::timer) return true;
    const std::size_t place = place_of(event);
    return place < hands_.size() && hands_[place].pid != 0 &&
           crew_.seats()[place].generation == static_cast<std::uint32_t>(event.data.u64);
}

void overseer::answer_signals()
{
    while (const auto number = signals_.next()) {
        const auto now           = steady_clock::now();
        const std::size_t wanted = crew_.status().wanted;
        if (*number == SIGHUP) crew_.roll(now);
        if (*number == SIGTTIN && wanted < most_workers) crew_.resize(wanted + 1, now);
        if (*number == SIGTTOU && wanted > 1) crew_.resize(wanted - 1, now);
        if (*number == SIGTERM || *number == SIGINT) crew_.status().stopping ? crew_.stop_now(now) : crew_.stop(now);
        carry_out();
    }
}

void overseer::listen(std::size_t place)
{
    message one{};
    while (hands_[place].link) {
        const channel::arrival what = hands_[place].link.receive(one);
        if (what == channel::arrival::nothing) return;
        hand& its = hands_[place];
        if (what == channel::arrival::end) {
            unwatch(its.link.native_handle());
            its.link.close();
            crew_.cannot_start(place, steady_clock::now());
        } else if (one.what == message::kind::ready) {
            crew_.said_ready(place, steady_clock::now());
        } else if (one.what == message::kind::appeared) {
            its.who = {one.index, one.generation};
        } else if (one.what == message::kind::failed) {
            its.reason = text_of(one);
        }
    }
}

void overseer::reap(std::size_t place)
{
    listen(place); // what it said last
    bool is_dead           = false;
    const exit_status exit = collect(hands_[place].process, WNOHANG, is_dead);
    if (!is_dead) return;
    const bool was_late = crew_.seats()[place].state == worker_state::killed && !crew_.seats()[place].leaving;
    hand& one           = hands_[place];
    one.last_exit       = exit;
    one.failure         = was_late ? make_error_code(errc::worker_not_ready) : error_code();
    tell(place, worker_state::ended);
    forget_process(hands_[place]);
    appearance_.sweep();
    crew_.died(place, steady_clock::now());
    carry_out();
}

void overseer::forget_process(hand& one) const noexcept
{
    if (one.process) unwatch(one.process.get());
    if (one.link) unwatch(one.link.native_handle());
    one.process.reset();
    one.link.close();
    one.pid = 0;
    one.who = {};
}

// --- what is to be done -----------------------------------------------------------------------------------------------

void overseer::carry_out()
{
    if (busy_) return; // `on_change` has called us: it comes after what is under way
    const busy_guard working(busy_);
    for (auto actions = crew_.take_actions(); !actions.empty(); actions = crew_.take_actions()) {
        if (hands_.size() < crew_.seats().size()) hands_.resize(crew_.seats().size());
        for (const action& one : actions)
            carry_out(one);
    }
    set_timer();
    appearance_.say({worker_word::role::parent, static_cast<std::uint32_t>(crew_.status().wanted)});
}

void overseer::carry_out(const action& one)
{
    switch (one.what) {
    case action::kind::start:
        return launch(one.place);
    case action::kind::ask_to_drain: {
        error_code ec;
        hands_[one.place].link.send(make_message(message::kind::drain), ec);
        if (ec) crew_.cannot_hear(one.place, steady_clock::now());
        return;
    }
    case action::kind::terminate:
        return signal(one.place, SIGTERM);
    case action::kind::kill:
        return signal(one.place, SIGKILL);
    case action::kind::tell:
        return tell(one.place, one.state);
    }
}

void overseer::launch(std::size_t place)
{
    launch_plan plan{place,   crew_.seats()[place].generation, self_.get(),
                     &loads_, signals_.mask_before(),          rules_.parent_death_signal};
    loads_[place].store(0, std::memory_order_relaxed);
    error_code ec;
    launched made = std::holds_alternative<program>(what_) ? launch_program(plan, std::get<program>(what_), ec)
                                                           : launch_fork(
                                                                 plan, [this] { leave_to_child(); }, std::get<0>(what_), ec);
    if (!ec) watch(made.process.get(), mark_of(source::death, place, plan.generation), ec);
    if (!ec && made.link) watch(made.link.native_handle(), mark_of(source::channel, place, plan.generation), ec);
    hand& one   = hands_[place];
    one.failure = ec;
    one.pid     = made.pid;
    one.process = std::move(made.process);
    one.link    = std::move(made.link);
    if (ec) {
        signal(place, SIGKILL);
        bool is_dead = false;
        if (one.process) collect(one.process, 0, is_dead);
        forget_process(one);
        return crew_.died(place, steady_clock::now());
    }
    tell(place, worker_state::starting);
    if (!hands_[place].link) crew_.said_ready(place, steady_clock::now());
}

void overseer::signal(std::size_t place, int number) const noexcept
{
    const hand& one = hands_[place];
    if (one.process) ::syscall(SYS_pidfd_send_signal, one.process.get(), number, nullptr, 0); // ESRCH: it is dead already
}

// Level and all, so that what is not seen now is seen later.
void overseer::watch(int descriptor, std::uint64_t mark, error_code& ec) const noexcept
{
    epoll_event event{};
    event.events   = EPOLLIN;
    event.data.u64 = mark;
    if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) ec = last_error();
}

// Before it is closed: a child that has inherited it would keep the entry alive.
void overseer::unwatch(int descriptor) const noexcept { ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, descriptor, nullptr); }

void overseer::set_timer() const noexcept
{
    const time_point next = crew_.next_deadline();
    itimerspec when{};
    // An all-zero time would switch it off; a deadline that has passed is one nanosecond after boot.
    if (next != never) when.it_value = to_timespec(std::max(next.time_since_epoch(), steady_clock::duration(1)));
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void overseer::wait(time_point limit) const noexcept
{
    pollfd ready{events_.get(), POLLIN, 0};
    const timespec left = to_timespec(std::max(limit - steady_clock::now(), steady_clock::duration(0)));
    ::ppoll(&ready, 1, limit == never ? nullptr : &left, nullptr);
}

void overseer::leave_to_child() noexcept
{
    for (hand& one : hands_) {
        one.process.reset();
        one.link.close();
    }
    self_.reset();
    events_.reset();
    timer_.reset();
    signals_.abandon();
}

// --- signals, the segment, how it stands ------------------------------------------------------------------------------

void overseer::take_signals(const signal_set& which, error_code& ec)
{
    if (signals_.native_handle() >= 0) unwatch(signals_.native_handle());
    signals_.open(which, ec);
    if (signals_.native_handle() < 0) return;
    error_code unwatched;
    watch(signals_.native_handle(), mark_of(source::signals), unwatched);
    if (!ec) ec = unwatched;
}

void overseer::appear_in(const segment& where, error_code& ec)
{
    appearance_.in(where, {worker_word::role::parent, static_cast<std::uint32_t>(crew_.status().wanted)}, ec);
}

void overseer::tell(std::size_t place, worker_state state) const
{
    if (!rules_.on_change) return;
    worker_status now = status_of(place);
    now.state         = state;
    rules_.on_change(now);
}

worker_status overseer::status_of(std::size_t place) const
{
    const seat& its = crew_.seats()[place];
    const hand& one = hands_[place];
    worker_status now;
    now.place      = place;
    now.generation = its.generation;
    now.restarts   = its.restarts;
    now.state      = its.state;
    now.since      = its.since;
    now.pid        = one.pid;
    now.process    = one.who;
    now.load       = one.pid != 0 ? loads_[place].load(std::memory_order_relaxed) : 0;
    now.last_exit  = one.last_exit;
    now.failure    = one.failure;
    now.reason     = one.reason;
    return now;
}

std::vector<worker_status> overseer::status() const
{
    std::vector<worker_status> all;
    for (std::size_t place = 0; place < hands_.size(); ++place)
        if (crew_.seats()[place].state != worker_state::vacant) all.push_back(status_of(place));
    return all;
}

} // namespace sharedsock::prefork::detail
