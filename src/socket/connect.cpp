// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// One attempt to connect, common to all handles (STATE-5). The kernel has two habits that would show which handle asks first: the
// connect(2) after an attempt that succeeded returns 0 once more, and the one after an attempt whose error was collected fails
// with ECONNABORTED and starts nothing (both measured). The slot knows of the attempt, so no caller sees either.
#include "base/stored_error.hpp"
#include "base/syscall.hpp"
#include "events/connection_state.hpp"
#include "events/re_enabling.hpp"
#include "socket/blocking.hpp"
#include "socket/in_delivery.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/socket.h>

namespace sharedsock {
namespace {

using detail::connect_phase;
using detail::connect_word;
using detail::handle;
using detail::membership;
using detail::sys;
using detail::told_error;

// Errors that belong to the attempt, not to the call: CONNECT reports them (EVT-16, EVT-26).
bool is_outcome(int error) noexcept
{
    switch (error) {
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ETIMEDOUT:
    case ENOBUFS:
    case EAFNOSUPPORT:
        return true;
    default:
        return false;
    }
}

// Makes the socket as if it were new.
void forget_connection(detail::socket_slot& slot) noexcept
{
    slot.terminal_error.store(0);
    slot.urgent.store(0);
    slot.peer_end.store(0);
    slot.own_end.store(0);
    slot.flags.fetch_and(~std::uint32_t{detail::flag_shut_send | detail::flag_shut_receive | detail::flag_peer_ended});
}

// Starts the attempt. 0: connected; EINPROGRESS: under way. The caller holds the slot's lock.
int start(handle& h, const socket_address& address) noexcept
{
    detail::socket_slot& slot = h.slot();
    connect_word before       = connect_word::decode(slot.connect_state.load());
    if (h.stream() && address.family() != AF_UNSPEC && before.phase != connect_phase::none) {
        before = detail::connection_state::of_attempt(h.fd(), slot);
        if (before.phase == connect_phase::in_progress) return EALREADY;
        const auto seen = detail::connection_state::view(h.fd(), slot);
        if (seen.known ? !seen.closed() : detail::connection_state::has_peer(h.fd())) return EISCONN;
        if (seen.closed() && !seen.connected) {
            detail::connection_state::renew(h.fd());
            forget_connection(slot);
        }
    }
    // Both before the call: the result may come before it returns, and a process that sees it has to know that it is an attempt's.
    const std::uint32_t former_error = h.stream() ? slot.pending_error.exchange(0) : 0;
    if (h.stream()) slot.connect_state.store(connect_word{connect_phase::in_progress, 0}.encode());
    // A new attempt is a new occasion for CONNECT and WRITE, whether or not the owner has seen the previous one. It is armed before
    // the call: the owner may hear of the result before the call returns, and hears of it once.
    detail::change(slot.registration,
                   [](const detail::registration_word& word) { return word.re_enabled(detail::connect_events); });
    int error = 0;
    {
        const detail::nonblocking_call here(h);
        if (::connect(h.fd(), address.data(), address.size()) != 0) error = errno;
    }
    if (error == EINPROGRESS) return error;
    connect_word now = before; // a call that fails changes nothing
    if (error == 0) {
        now = {address.family() == AF_UNSPEC ? connect_phase::none : connect_phase::connected, 0};
        if (address.family() == AF_UNSPEC) forget_connection(slot);
    } else if (is_outcome(error)) {
        now = {connect_phase::failed, error};
    } else {
        std::uint32_t none = 0;
        slot.pending_error.compare_exchange_strong(none, former_error);
    }
    slot.connect_state.store(now.encode());
    return error;
}

int start_locked(handle& h, membership& self, const socket_address& address, error_code& ec)
{
    const membership::slot_guard guard(self, h.socket().index, ec);
    return guard ? start(h, address) : 0;
}

// The end of the attempt, for a call that waits for it; EAGAIN while it is under way.
void tell_outcome(handle& h, membership& self, error_code& ec)
{
    connect_word now;
    {
        const membership::slot_guard guard(self, h.socket().index, ec);
        if (!guard) return;
        now = detail::connection_state::of_attempt(h.fd(), h.slot());
    }
    if (now.phase == connect_phase::in_progress) {
        ec = told_error(EAGAIN);
        return;
    }
    const auto seen = detail::connection_state::view(h.fd(), h.slot());
    int error       = now.error;
    if (error == 0 && seen.closed() && !seen.connected) error = ECONNABORTED; // dissolved meanwhile, or told to the owner
    if (error == 0) return;
    auto told = static_cast<std::uint32_t>(error); // this call reports it, so SO_ERROR must not do so again
    h.slot().pending_error.compare_exchange_strong(told, 0);
    ec = told_error(error);
}

void wait_for_outcome(handle& h, membership& self, error_code& ec)
{
    detail::patient_call call(h, SO_SNDTIMEO);
    do {
        call.wait(POLLOUT, ec);
        if (ec) return;
        tell_outcome(h, self, ec);
    } while (ec.value() == EAGAIN && ec.category() == boost::system::system_category());
}

} // namespace

void detail::connect_in_delivery(handle& h, membership& self, const socket_address& address, bool begun, error_code& ec)
{
    ec.clear();
    if (begun) {
        tell_outcome(h, self, ec);
        return;
    }
    const int error = start_locked(h, self, address, ec);
    if (!ec && error != 0) ec = told_error(error == EINPROGRESS ? EAGAIN : error, sys<"connect">);
}

void shared_socket::connect(const socket_address& address, error_code& ec)
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return;
    membership* const self = h->member(ec);
    if (self == nullptr) return;
    const int error = start_locked(*h, *self, address, ec);
    if (ec) return;
    if (error == EALREADY || error == EISCONN) {
        ec = told_error(error);
        return;
    }
    call_owner(*h, detail::connect_events);
    if (error == EINPROGRESS && (h->slot().flags.load() & detail::flag_blocking) != 0)
        wait_for_outcome(*h, *self, ec);
    else if (error != 0)
        ec = told_error(error == EINPROGRESS ? EAGAIN : error, sys<"connect">); // ERR-5: Winsock's word
}

void shared_socket::connect(const socket_address& address)
{
    detail::or_throw("sharedsock::shared_socket::connect", [&](error_code& ec) { connect(address, ec); });
}

} // namespace sharedsock
