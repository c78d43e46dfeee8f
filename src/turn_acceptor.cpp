// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/turn_acceptor.hpp>

#include "accept_line.hpp"
#include "accept_turn.hpp"
#include "accepted.hpp"
#include "blocking.hpp"
#include "last_error.hpp"
#include "turn_alarm.hpp"

#include <boost/assert.hpp>

#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace sharedsock {
namespace {

using detail::handle;
using detail::membership;

bool out_of_resources(const error_code& ec) noexcept
{
    const int value = ec.value();
    return value == EMFILE || value == ENFILE || value == ENOBUFS || value == ENOMEM;
}

bool put(int epoll, int descriptor, std::uint32_t events, std::uint64_t data) noexcept
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

// An owner that is dead owns nothing, though nobody may have noticed yet (REG-18).
bool owned(membership& self, const detail::socket_slot& slot) noexcept
{
    const detail::registration_word word = detail::load(slot.registration);
    return word.owned() && !(self.sweep_if_dead(word.owner) && !detail::load(slot.registration).owned());
}

} // namespace

struct turn_acceptor::state {
    shared_socket listener;
    turn_options options;
    process_id self; // who made it: a forked child is somebody else, and the epoll it sees is its parent's
    pid_t pid = ::getpid(); // likewise, for who has lost his place in the segment
    int epoll = -1;  // where it stands in line, or would; -1: nowhere
    std::uint64_t ready = 0;
    bool waits = false; // whether the listener is in that epoll
    std::uint32_t accepted = 0; // in this turn
    std::uint64_t turns = 0;
    detail::accept_line line;
    detail::turn_alarm alarm;

    handle* opened(error_code& ec) const noexcept { return detail::opened(listener.impl(), ec); }

    // The member to act through, if it is still the one that made this.
    membership* member(handle& through, error_code& ec) const noexcept
    {
        membership* const found = through.member(ec);
        if (found == nullptr || found->self() == self) return found;
        ec = errc::not_attached;
        return nullptr;
    }

    bool wait(int descriptor) noexcept
    {
        waits = put(epoll, descriptor, EPOLLIN | EPOLLEXCLUSIVE, ready);
        return waits;
    }
    void wait_no_more(int descriptor) noexcept
    {
        if (std::exchange(waits, false)) ::epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nullptr);
    }

    // To the end of the line. If connections wait, epoll reports them here again, though others may have been woken for them
    // while we were busy: one who runs takes them before the sleepers get a processor, and all workers but one would starve.
    // So those run first.
    void end_turn(int descriptor, error_code& ec) noexcept
    {
        accepted = 0;
        ++turns;
        wait_no_more(descriptor);
        ::sched_yield();
        if (!wait(descriptor)) ec = detail::last_error();
    }

    void after_accept(handle& through, membership& member, error_code& ec)
    {
        // Who has come since we last looked is behind us in line, so until now we were woken before him: from here on he may be
        // woken for a connection that only we are there to take, should he die.
        if (line.refresh(member, through) && waits) alarm.watch(member, through.socket().index);
        ++accepted;
        detail::turn_view seen;
        seen.accepted = accepted;
        seen.others = line.others();
        if (seen.others != 0 && options.order == turn_order::least_loaded) {
            seen.load = member.bytes().process(self.index)->load.load(std::memory_order_relaxed);
            seen.least = line.least_load(member);
        }
        if (waits && detail::turn_ends(seen, options)) end_turn(through.fd(), ec);
    }

    detail::unique_fd accept(handle& through, membership& member, error_code& ec)
    {
        if (owned(member, through.slot())) {
            stand_down();
            ec = errc::registration_cancelled;
            return {};
        }
        detail::unique_fd connection(
            detail::uninterrupted([&] { return ::accept4(through.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }));
        if (!connection) {
            ec = detail::last_error();
            if (out_of_resources(ec)) wait_no_more(through.fd()); // level-triggered: it would be reported for ever
            return {};
        }
        error_code out_of_line; // the next look tries again
        after_accept(through, member, out_of_line);
        return connection;
    }

    void stand_down() noexcept
    {
        if (epoll < 0 || pid != ::getpid()) return;
        wait_no_more(listener.native_handle());
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, alarm.native_handle(), nullptr);
        epoll = -1;
        error_code ec; // a handle that has ended has no mark to take away
        handle* const through = opened(ec);
        membership* const found = through != nullptr ? member(*through, ec) : nullptr;
        if (found != nullptr) line.leave(*found, *through);
    }
};

turn_acceptor::turn_acceptor() noexcept = default;

turn_acceptor::turn_acceptor(shared_socket listener, const turn_options& options) : state_(std::make_unique<state>())
{
    BOOST_ASSERT(options.batch != 0);
    state_->listener = std::move(listener);
    state_->options = options;
    state_->self = state_->listener.where().self();
}

turn_acceptor::~turn_acceptor() { leave(); }

turn_acceptor::turn_acceptor(turn_acceptor&&) noexcept = default;

turn_acceptor& turn_acceptor::operator=(turn_acceptor&& other) noexcept
{
    if (this != &other) {
        leave();
        state_ = std::move(other.state_);
    }
    return *this;
}

void turn_acceptor::stand_by(int epoll, std::uint64_t ready, std::uint64_t alarm, error_code& ec)
{
    ec = errc::closed_handle;
    handle* const through = state_ != nullptr ? state_->opened(ec) : nullptr;
    if (through == nullptr) return;
    ec.clear();
    membership* const self = state_->member(*through, ec);
    if (self == nullptr) return;
    leave();
    if (owned(*self, through->slot())) {
        ec = errc::registration_cancelled;
        return;
    }
    state_->alarm.open(state_->options.patrol, ec);
    if (ec) return;
    detail::keep_nonblocking(through->fd()); // somebody may be faster than we are
    state_->epoll = epoll;
    state_->ready = ready;
    state_->accepted = 0;
    state_->line.enter(*self, *through);
    if (!put(epoll, state_->alarm.native_handle(), EPOLLIN, alarm) || !state_->wait(through->fd())) {
        ec = detail::last_error();
        leave();
        return;
    }
    state_->alarm.watch(*self, through->socket().index);
}

void turn_acceptor::stand_by(int epoll, std::uint64_t ready, std::uint64_t alarm)
{
    error_code ec;
    stand_by(epoll, ready, alarm, ec);
    if (ec) throw system_error(ec, "sharedsock::turn_acceptor::stand_by");
}

void turn_acceptor::leave() noexcept
{
    if (state_ != nullptr) state_->stand_down();
}

bool turn_acceptor::stands_by() const noexcept { return state_ != nullptr && state_->epoll >= 0; }

int turn_acceptor::accept_descriptor(error_code& ec)
{
    ec = errc::closed_handle;
    if (state_ == nullptr) return -1;
    ec.clear();
    handle* const through = state_->opened(ec);
    membership* const self = through != nullptr ? state_->member(*through, ec) : nullptr;
    if (self != nullptr) return state_->accept(*through, *self, ec).release();
    leave(); // who cannot accept any more is not to be woken for ever
    return -1;
}

int turn_acceptor::accept_descriptor()
{
    error_code ec;
    const int connection = accept_descriptor(ec);
    if (ec) throw system_error(ec, "sharedsock::turn_acceptor::accept_descriptor");
    return connection;
}

shared_socket turn_acceptor::accept(error_code& ec)
{
    detail::unique_fd connection(accept_descriptor(ec));
    if (ec) return {};
    handle& through = *state_->listener.impl();
    membership* const self = state_->member(through, ec);
    return self != nullptr ? shared_socket(detail::share_accepted(through, *self, std::move(connection), ec)) : shared_socket();
}

shared_socket turn_acceptor::accept()
{
    error_code ec;
    shared_socket accepted = accept(ec);
    if (ec) throw system_error(ec, "sharedsock::turn_acceptor::accept");
    return accepted;
}

void turn_acceptor::look(error_code& ec)
{
    ec = errc::closed_handle;
    handle* const through = state_ != nullptr ? state_->opened(ec) : nullptr;
    if (through == nullptr) return;
    ec.clear();
    membership* const self = state_->member(*through, ec);
    if (self == nullptr || !stands_by()) return;
    state_->alarm.answer(*self);
    state_->line.forget();
    state_->alarm.watch(*self, through->socket().index);
    state_->end_turn(through->fd(), ec); // what waits there since before is reported now
}

std::size_t turn_acceptor::others()
{
    error_code ec; // who is not in the segment sees nobody
    handle* const through = state_ != nullptr ? state_->opened(ec) : nullptr;
    membership* const self = through != nullptr ? state_->member(*through, ec) : nullptr;
    if (self == nullptr) return 0;
    if (state_->line.refresh(*self, *through) && stands_by()) state_->alarm.watch(*self, through->socket().index);
    return state_->line.others();
}

const shared_socket& turn_acceptor::listener() const noexcept { return state_->listener; }
std::uint64_t turn_acceptor::turns() const noexcept { return state_ != nullptr ? state_->turns : 0; }

} // namespace sharedsock
