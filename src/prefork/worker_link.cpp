// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/worker_link.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <atomic>
#include <csignal>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

namespace sharedsock::prefork::detail {

using sharedsock::detail::last_error;
namespace new_fd = sharedsock::detail::new_fd;
using role       = worker_word::role;

namespace {

bool readable(int descriptor, int limit_ms) noexcept
{
    pollfd one{descriptor, POLLIN, 0};
    return ::poll(&one, 1, limit_ms) > 0;
}

} // namespace

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
    events_ = new_fd::epoll();
    epoll_event event{};
    event.events = EPOLLIN;
    for (const int descriptor : {gift_.link.native_handle(), gift_.parent.get()})
        if (!events_ || ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
            ec = last_error(events_ ? sharedsock::detail::sys<"epoll_ctl"> : sharedsock::detail::sys<"epoll_create1">);
            return;
        }
}

void worker_link::say_ready(error_code& ec) noexcept
{
    ec.clear();
    if (ready_) return;
    gift_.link.send(make_message(message::kind::ready), ec);
    ready_ = !ec;
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

void worker_link::wait() noexcept { readable(events_.get(), -1); }

void worker_link::say_state() const noexcept
{
    const role now = draining_ ? role::draining : ready_ ? role::ready : role::starting;
    appearance_.say({now, static_cast<std::uint32_t>(gift_.place)});
}

} // namespace sharedsock::prefork::detail
