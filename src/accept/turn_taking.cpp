// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/turn_taking.hpp"

#include "accept/accept_turn.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "socket/accepted.hpp"
#include "socket/blocking.hpp"

#include <atomic>
#include <cerrno>
#include <memory>
#include <utility>

#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace sharedsock::detail {
namespace {

bool out_of_resources(const error_code& ec) noexcept
{
    const int value = ec.value();
    return value == EMFILE || value == ENFILE || value == ENOBUFS || value == ENOMEM;
}

// A dead owner owns nothing, even if no process has swept it yet (REG-18).
bool owned(membership& self, const socket_slot& slot) noexcept
{
    const registration_word word = load(slot.registration);
    return word.owned() && !(self.sweep_if_dead(word.owner) && !load(slot.registration).owned());
}

} // namespace

membership* turn_taking::member(handle& through, error_code& ec) const noexcept
{
    membership* const found = through.recent_member(ec);
    if (found != nullptr && !self_) self_ = found->self();
    if (found == nullptr || found->self() == self_) return found;
    ec = errc::not_attached;
    return nullptr;
}

bool turn_taking::wait(int descriptor) noexcept
{
    waits_ = add_to_epoll(epoll_, descriptor, EPOLLIN | EPOLLEXCLUSIVE, ready_);
    return waits_;
}

void turn_taking::wait_no_more(int descriptor) noexcept
{
    if (std::exchange(waits_, false)) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

// Moves this acceptor to the end of the accept queue. If connections wait, epoll reports them here again, though it may have woken
// other acceptors for them while this process was busy. A running process takes them before the woken ones get a processor, and all
// workers but one would starve. So the woken processes run first.
void turn_taking::end_turn(int descriptor, error_code& ec) noexcept
{
    accepted_ = 0;
    ++turns_;
    wait_no_more(descriptor);
    ::sched_yield();
    if (!wait(descriptor)) ec = last_error(sys<"epoll_ctl">);
}

void turn_taking::after_accept(handle& through, membership& member, error_code& ec)
{
    // Acceptors that have come since the last look are behind this one in the accept queue, so the kernel woke this one before
    // them. From here on it may wake one of them for a connection; if that acceptor dies, only this one is left to take the
    // connection.
    if (line_.refresh(member, through) && waits_) alarm_.watch(member, through.socket().index);
    ++accepted_;
    turn_view seen;
    seen.accepted = accepted_;
    seen.others   = line_.others();
    if (seen.others != 0 && options_.order == turn_order::least_loaded) {
        seen.load  = member.bytes().process(self_.index)->load.load(std::memory_order_relaxed);
        seen.least = line_.least_load(member);
    }
    if (waits_ && turn_ends(seen, options_)) end_turn(through.fd(), ec);
}

unique_fd turn_taking::accept(handle& through, membership& member, error_code& ec)
{
    ec.clear();
    if (owned(member, through.slot())) {
        leave(through, &member);
        ec = errc::registration_cancelled;
        return {};
    }
    unique_fd connection;
    if (is_lent(through))
        connection = accept_now(through, member, nullptr, ec);
    else if (!(connection = new_fd::accept(through.fd(), nullptr, nullptr, SOCK_NONBLOCK)))
        ec = last_error(sys<"accept4">);
    if (!connection) {
        if (out_of_resources(ec)) wait_no_more(through.fd()); // level-triggered: the connection would be reported for ever
        return {};
    }
    error_code out_of_line; // the next look tries again
    after_accept(through, member, out_of_line);
    return connection;
}

void turn_taking::leave(handle& through, membership* member) noexcept
{
    if (epoll_ < 0 || instance_ != process_instance()) return;
    wait_no_more(through.fd());
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, alarm_.native_handle(), nullptr);
    epoll_ = -1;
    if (member != nullptr) line_.leave(*member, through); // else there is no mark to take away
}

void turn_taking::stand_by(handle& through, membership& member, int epoll, std::uint64_t ready, std::uint64_t alarm, error_code& ec)
{
    ec.clear();
    leave(through, &member);
    if (owned(member, through.slot())) {
        ec = errc::registration_cancelled;
        return;
    }
    alarm_.open(options_.patrol, ec);
    if (ec) return;
    if (!is_lent(through)) make_nonblocking(through.fd());         // another process may take the connection first
    through.slot().flags.fetch_and(~std::uint32_t{flag_blocking}); // for all handles, as a registration does (REG-12)
    instance_ = process_instance();
    epoll_    = epoll;
    ready_    = ready;
    accepted_ = 0;
    line_.enter(member, through);
    if (!add_to_epoll(epoll, alarm_.native_handle(), EPOLLIN, alarm) || !wait(through.fd())) {
        ec = last_error(sys<"epoll_ctl">);
        leave(through, &member);
        return;
    }
    alarm_.watch(member, through.socket().index);
}

void turn_taking::begin_anew() noexcept
{
    self_     = {};
    epoll_    = -1;
    waits_    = false;
    accepted_ = 0;
    turns_    = 0;
    line_.begin_anew();
    alarm_.abandon(); // its epoll instances are the parent's, with the descriptors that the parent watches
}

void turn_taking::look(handle& through, membership& member, error_code& ec)
{
    ec.clear();
    if (!stands_by()) return;
    alarm_.answer(member);
    line_.forget();
    alarm_.watch(member, through.socket().index);
    end_turn(through.fd(), ec); // epoll now reports connections that waited before this process entered
}

std::size_t turn_taking::others(handle& through, membership& member)
{
    if (line_.refresh(member, through) && stands_by()) alarm_.watch(member, through.socket().index);
    return line_.others();
}

} // namespace sharedsock::detail
