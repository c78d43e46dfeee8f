// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/turn_taking.hpp"
#include "socket/accepted.hpp"

#include <sharedsock/turn_acceptor.hpp>

#include <boost/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace sharedsock {

using detail::handle;
using detail::membership;

struct turn_acceptor::state {
    shared_socket listener;
    detail::turn_taking turns;

    handle* opened(error_code& ec) const noexcept { return detail::opened(listener.impl(), ec); }
    membership* member(handle* through, error_code& ec) const noexcept
    {
        return through != nullptr ? turns.member(*through, ec) : nullptr;
    }
};

turn_acceptor::turn_acceptor() noexcept = default;

turn_acceptor::turn_acceptor(shared_socket listener, const turn_options& options)
{
    BOOST_ASSERT(options.batch != 0);
    const process_id self = listener.where().self();
    state_.reset(new state{std::move(listener), {options, self}});
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
    if (state_ == nullptr) return;
    ec.clear();
    handle* const through = state_->opened(ec);
    if (membership* const self = state_->member(through, ec)) state_->turns.stand_by(*through, *self, epoll, ready, alarm, ec);
}

void turn_acceptor::stand_by(int epoll, std::uint64_t ready, std::uint64_t alarm)
{
    detail::or_throw("sharedsock::turn_acceptor::stand_by", [&](error_code& ec) { stand_by(epoll, ready, alarm, ec); });
}

void turn_acceptor::leave() noexcept
{
    if (state_ == nullptr || state_->listener.impl() == nullptr) return;
    error_code ec; // a handle that has ended has no mark to take away
    handle* const through = state_->opened(ec);
    state_->turns.leave(*state_->listener.impl(), state_->member(through, ec));
}

bool turn_acceptor::stands_by() const noexcept { return state_ != nullptr && state_->turns.stands_by(); }

int turn_acceptor::accept_descriptor(error_code& ec)
{
    ec = errc::closed_handle;
    if (state_ == nullptr) return -1;
    ec.clear();
    handle* const through = state_->opened(ec);
    if (membership* const self = state_->member(through, ec)) return state_->turns.accept(*through, *self, ec).release();
    leave(); // epoll would wake for ever an acceptor that cannot accept any more
    return -1;
}

int turn_acceptor::accept_descriptor()
{
    return detail::or_throw("sharedsock::turn_acceptor::accept_descriptor", [&](error_code& ec) { return accept_descriptor(ec); });
}

shared_socket turn_acceptor::accept(error_code& ec)
{
    detail::unique_fd connection(accept_descriptor(ec));
    if (ec) return {};
    handle& through        = *state_->listener.impl();
    membership* const self = state_->member(&through, ec);
    return self != nullptr ? shared_socket(detail::share_accepted(through, *self, std::move(connection), ec)) : shared_socket();
}

shared_socket turn_acceptor::accept()
{
    return detail::or_throw("sharedsock::turn_acceptor::accept", [&](error_code& ec) { return accept(ec); });
}

void turn_acceptor::look(error_code& ec)
{
    ec = errc::closed_handle;
    if (state_ == nullptr) return;
    ec.clear();
    handle* const through = state_->opened(ec);
    if (membership* const self = state_->member(through, ec)) state_->turns.look(*through, *self, ec);
}

std::size_t turn_acceptor::others()
{
    if (state_ == nullptr) return 0;
    error_code ec; // a process that is not in the segment sees no other
    handle* const through  = state_->opened(ec);
    membership* const self = state_->member(through, ec);
    return self != nullptr ? state_->turns.others(*through, *self) : 0;
}

const shared_socket& turn_acceptor::listener() const noexcept { return state_->listener; }
std::uint64_t turn_acceptor::turns() const noexcept { return state_ != nullptr ? state_->turns.turns() : 0; }

} // namespace sharedsock
