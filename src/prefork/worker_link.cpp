// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/worker_link.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "prefork/signal_source.hpp"

#include <atomic>
#include <csignal>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::uninterrupted;
namespace new_fd = sharedsock::detail::new_fd;
using role       = worker_word::role;

namespace {

bool readable(int descriptor, int limit_ms) noexcept
{
    pollfd one{descriptor, POLLIN, 0};
    return ::poll(&one, 1, limit_ms) > 0;
}

} // namespace

// Multiples of the golden ratio, modulo 1: any number of them in a row divide the span into nearly equal parts. Each generation
// begins elsewhere, with those of another irrational number.
std::uint64_t jitter_of(std::size_t place, std::uint32_t generation, std::uint64_t most) noexcept
{
    constexpr std::uint64_t golden = 0x9e37'79b9'7f4a'7c15, other = 0xc2b2'ae3d'27d4'eb4f; // of 2^64
    const std::uint64_t fraction = (place + 1) * golden + std::uint64_t{generation} * other;
    const double share           = static_cast<double>(fraction >> 11) * 0x1p-53; // 0 to just below 1
    const double result          = share * (static_cast<double>(most) + 1);
    return result < static_cast<double>(most) ? static_cast<std::uint64_t>(result) : most;
}

void die_with_parent(int signal, int parent, error_code& ec) noexcept
{
    ec.clear();
    if (::prctl(PR_SET_PDEATHSIG, signal) != 0)
        ec = last_error(sharedsock::detail::sys<"prctl">);
    else if (readable(parent, 0))
        ::raise(signal);
}

void worker_link::open(error_code& ec) noexcept
{
    ec.clear();
    if (gift_.signals_are_requests) {
        signals_ = new_fd::signals(blocked_stop_signals());
        if (!signals_) ec = last_error(sharedsock::detail::sys<"signalfd4">);
        if (ec) return;
    }
    events_ = new_fd::epoll();
    epoll_event event{};
    event.events = EPOLLIN;
    for (const int descriptor : {gift_.link.native_handle(), gift_.parent.get(), signals_.get()}) {
        if (descriptor < 0) continue; // no signals
        if (!events_ || ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
            ec = last_error(events_ ? sharedsock::detail::sys<"epoll_ctl"> : sharedsock::detail::sys<"epoll_create1">);
            return;
        }
    }
}

void worker_link::say_ready(error_code& ec) noexcept
{
    ec.clear();
    if (ready_) return;
    gift_.link.send(make_message(message::kind::ready), ec);
    ready_ = !ec;
    say_state();
    if (ready_ && wants_) retire(ec);
}

// The supervisor replaces workers that are ready: a worker that is not says this when it is.
void worker_link::retire(error_code& ec) noexcept
{
    ec.clear();
    wants_ = true;
    if (!ready_ || told_wants_) return;
    gift_.link.send(make_message(message::kind::retiring), ec);
    told_wants_ = !ec;
    say_state();
}

void worker_link::appear_in(const segment& where, error_code& ec)
{
    appearance_.in(where, {}, ec);
    if (ec) return;
    say_state();
    error_code nobody_listens; // `draining` reports that
    gift_.link.send(make_message(message::kind::appeared, where.self()), nobody_listens);
}

void worker_link::set_load(std::uint32_t load)
{
    gift_.loads[gift_.place].store(load, std::memory_order_relaxed);
    appearance_.say_load(load);
}

// The pidfd shows the parent's death: other children may have inherited the parent's end of the channel, and keep it open.
bool worker_link::look() noexcept
{
    epoll_event event;
    const bool has_news = (!draining_ || !parent_gone_) && ::epoll_wait(events_.get(), &event, 1, 0) > 0;
    if (!has_news) return draining_;
    const bool was_draining = draining_;
    listen();
    answer_signals();
    parent_gone_ = parent_gone_ || readable(gift_.parent.get(), 0);
    draining_    = draining_ || parent_gone_;
    if (draining_ && !was_draining) say_state();
    return draining_;
}

void worker_link::listen() noexcept
{
    message one{};
    for (auto what = gift_.link.receive(one); what != channel::arrival::nothing; what = gift_.link.receive(one)) {
        if (what == channel::arrival::end) {
            parent_gone_ = true; // or it has closed its end of the channel
            return;
        }
        if (one.what == message::kind::drain) draining_ = true;
    }
}

// If a request came before the signals, the supervisor knows that this worker leaves.
void worker_link::answer_signals() noexcept
{
    bool has_come = false;
    signalfd_siginfo each;
    while (signals_ && uninterrupted([&] { return ::read(signals_.get(), &each, sizeof each); }) == sizeof each)
        has_come = true;
    if (!has_come || draining_) return;
    draining_ = true;
    error_code supervisor_is_gone; // `draining` is true for that, too
    gift_.link.send(make_message(message::kind::leaving), supervisor_is_gone);
}

void worker_link::wait() noexcept { readable(events_.get(), -1); }

void worker_link::say_state() const noexcept
{
    const role now = draining_ ? role::draining : told_wants_ ? role::retiring : ready_ ? role::ready : role::starting;
    appearance_.say({now, static_cast<std::uint32_t>(gift_.place)});
}

} // namespace sharedsock::prefork::detail
