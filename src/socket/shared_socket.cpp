// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// How a handle comes to be, the holders of its socket, addresses, and the three endings. The data calls are in socket_io.cpp,
// connect and accept in files of their own, options in socket_options.cpp, tickets in socket_duplicate.cpp, events in
// event_select.cpp.
#include "attach/attached.hpp"
#include "attach/handle.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "events/connection_state.hpp"
#include "events/re_enabling.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sharedsock {
namespace {

using detail::handle;
using detail::member_of;
using detail::membership;
using detail::socket_identity;
using detail::unique_fd;
namespace new_fd = detail::new_fd;

template <class Value>
bool get(int descriptor, int name, Value& value) noexcept
{
    socklen_t size = sizeof value;
    return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0;
}

// The protocol of a new socket. For the common kinds the library knows what 0 stands for, without asking the kernel.
int protocol_of(int descriptor, int family, int type, int asked) noexcept
{
    if (asked != 0) return asked;
    if (family == AF_INET || family == AF_INET6) {
        if (type == SOCK_STREAM) return IPPROTO_TCP;
        if (type == SOCK_DGRAM) return IPPROTO_UDP;
    }
    int protocol = 0;
    get(descriptor, SO_PROTOCOL, protocol);
    return protocol;
}

// The identity for the slot of a socket that was in use before the library got it.
socket_identity describe(int descriptor, int status_flags, error_code& ec) noexcept
{
    socket_identity about;
    if (!get(descriptor, SO_COOKIE, about.cookie) || !get(descriptor, SO_DOMAIN, about.family) ||
        !get(descriptor, SO_TYPE, about.type) || !get(descriptor, SO_PROTOCOL, about.protocol)) {
        ec = errno == ENOTSOCK ? make_error_code(errc::not_a_shared_socket) : detail::last_error(detail::sys<"getsockopt">);
        return about;
    }
    int listening = 0;
    linger closing{};
    if ((status_flags & O_NONBLOCK) == 0) about.flags |= detail::flag_blocking | detail::flag_lent;
    if (get(descriptor, SO_ACCEPTCONN, listening) && listening != 0) about.flags |= detail::flag_listening;
    if (get(descriptor, SO_LINGER, closing) && closing.l_onoff != 0 && closing.l_linger != 0) about.flags |= detail::flag_linger;
    return about;
}

// Sets the slot of such a TCP socket: the kernel's state tells what was shut down and whether an attempt to connect is under way.
void recall_history(int descriptor, detail::socket_slot& slot) noexcept
{
    const detail::connection_state::tcp_view seen = detail::connection_state::view(descriptor, slot);
    if (seen.connecting()) slot.connect_state.store(detail::connect_word{detail::connect_phase::in_progress, 0}.encode());
    if (seen.end_sent()) {
        slot.flags.fetch_or(detail::flag_shut_send);
        slot.own_end.store(static_cast<std::uint32_t>(detail::end_mark::set));
    }
}

// A new slot, and the handle to it. On failure the descriptor stays the caller's.
std::shared_ptr<handle> share(const segment& where, membership& self, const socket_identity& about, unique_fd&& descriptor,
                              error_code& ec)
{
    const detail::socket_and_handle which = self.create_socket(about, ec);
    if (ec) return nullptr;
    return handle::make(where.attachment(), self, which, std::move(descriptor));
}

// ERR-4: there are unsent data, and a linger time to wait for them, in a close that may not wait.
bool would_linger(handle& h, const membership& self) noexcept
{
    const std::uint32_t flags = h.slot().flags.load();
    if ((flags & detail::flag_linger) == 0 || (flags & detail::flag_blocking) != 0 || !self.is_last(h.which())) return false;
    linger closing{};
    int unsent = 0;
    return get(h.fd(), SO_LINGER, closing) && closing.l_onoff != 0 && closing.l_linger != 0 &&
           ::ioctl(h.fd(), SIOCOUTQ, &unsent) == 0 && unsent > 0;
}

void end_in_background(const std::shared_ptr<handle>& impl) noexcept
{
    error_code none;
    detail::empty_graveyard();
    if (impl != nullptr && !impl->closed()) impl->end(handle::ending::background, none);
}

} // namespace

// --- making one -------------------------------------------------------------------------------------------------------

shared_socket::shared_socket() noexcept = default;
shared_socket::shared_socket(std::shared_ptr<detail::handle> impl) noexcept : impl_(std::move(impl)) {}
shared_socket::shared_socket(shared_socket&&) noexcept = default;

shared_socket::~shared_socket() { end_in_background(impl_); } // ends it here: the library may hold the handle a little longer

shared_socket& shared_socket::operator=(shared_socket&& other) noexcept
{
    if (this == &other) return *this;
    end_in_background(impl_);
    impl_ = std::move(other.impl_);
    return *this;
}

shared_socket shared_socket::adopt(const segment& where, int descriptor, error_code& ec)
{
    membership* const self = member_of(where, ec);
    if (self == nullptr) return {};
    const int status_flags     = ::fcntl(descriptor, F_GETFL);
    const int descriptor_flags = ::fcntl(descriptor, F_GETFD);
    if (status_flags == -1 || descriptor_flags == -1) {
        ec = detail::last_error(detail::sys<"fcntl">);
        return {};
    }
    const socket_identity about = describe(descriptor, status_flags, ec);
    if (ec) return {};
    if (where.attachment()->shares_cookie(about.cookie)) {
        ec = errc::already_shared;
        return {};
    }
    bool joined                           = false; // another process has made its slot
    const detail::socket_and_handle which = self->adopt_socket(about, joined, ec);
    if (ec) return {};
    unique_fd taken(descriptor);
    try {
        shared_socket adopted(handle::make(where.attachment(), *self, which, std::move(taken)));
        if (!joined) recall_history(descriptor, adopted.impl_->slot());
        if ((descriptor_flags & FD_CLOEXEC) == 0) {
            ::fcntl(descriptor, F_SETFD, descriptor_flags | FD_CLOEXEC); // cannot fail, for F_GETFD did not
            adopted.impl_->release_inheritable();
        }
        return adopted;
    } catch (...) {
        taken.release();
        throw;
    }
}

shared_socket shared_socket::adopt(const segment& where, int descriptor)
{
    return detail::or_throw("sharedsock::shared_socket::adopt", [&](error_code& ec) { return adopt(where, descriptor, ec); });
}

shared_socket shared_socket::open(const segment& where, int family, int type, int protocol, error_code& ec)
{
    membership* const self = detail::recent_member_of(where, ec);
    if (self == nullptr) return {};
    unique_fd descriptor = new_fd::socket(family, type | SOCK_NONBLOCK, protocol);
    socket_identity about;
    if (!descriptor || !get(descriptor.get(), SO_COOKIE, about.cookie)) {
        ec = detail::last_error(descriptor ? detail::sys<"getsockopt"> : detail::sys<"socket">);
        return {};
    }
    about.family   = family;
    about.type     = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    about.protocol = protocol_of(descriptor.get(), about.family, about.type, protocol);
    about.flags    = (type & SOCK_NONBLOCK) != 0 ? 0u : std::uint32_t{detail::flag_blocking};
    return shared_socket(share(where, *self, about, std::move(descriptor), ec));
}

shared_socket shared_socket::open(const segment& where, int family, int type, int protocol)
{
    return detail::or_throw("sharedsock::shared_socket::open",
                            [&](error_code& ec) { return open(where, family, type, protocol, ec); });
}

shared_socket shared_socket::listen(const segment& where, const socket_address& address, error_code& ec, int backlog)
{
    shared_socket listener = open(where, address.family(), SOCK_STREAM, 0, ec);
    const int on           = 1;
    if (!ec && address.family() != AF_UNIX) listener.set_option(SOL_SOCKET, SO_REUSEADDR, &on, sizeof on, ec);
    if (!ec) listener.bind(address, ec);
    if (!ec) listener.listen(backlog, ec);
    return ec ? shared_socket() : std::move(listener);
}

shared_socket shared_socket::listen(const segment& where, const socket_address& address, int backlog)
{
    return detail::or_throw("sharedsock::shared_socket::listen",
                            [&](error_code& ec) { return listen(where, address, ec, backlog); });
}

// --- the three endings ------------------------------------------------------------------------------------------------

// The object keeps the ended handle: another thread may still be leaving a call that this close has cancelled.
void shared_socket::close(error_code& ec)
{
    detail::empty_graveyard();
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return;
    if (const membership* const self = h->where().member(); self != nullptr && would_linger(*h, *self))
        ec = errc::would_linger;
    else
        h->end(handle::ending::close, ec);
}

void shared_socket::close()
{
    detail::or_throw("sharedsock::shared_socket::close", [&](error_code& ec) { close(ec); });
}

void shared_socket::shutdown(int how, error_code& ec)
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return;
    detail::atomic_u32& flags = h->slot().flags;
    int listening             = 0; // the kernel would end listening, for all processes (STATE-6)
    if (h->stream() &&
        ((flags.load() & detail::flag_listening) != 0 || (get(h->fd(), SO_ACCEPTCONN, listening) && listening != 0))) {
        ec = detail::told_error(ENOTCONN);
        return;
    }
    std::uint32_t mine = 0;
    if (how == SHUT_RD || how == SHUT_RDWR) mine |= detail::flag_shut_receive;
    if (how == SHUT_WR || how == SHUT_RDWR) mine |= detail::flag_shut_send;
    // Before the call: a process that sees its effect has to know that this side shut the socket down (EVT-22).
    mine &= ~flags.fetch_or(mine);
    if ((mine & detail::flag_shut_send) != 0) h->slot().own_end.store(static_cast<std::uint32_t>(detail::end_mark::set));
    if (::shutdown(h->fd(), how) != 0) {
        const int error = errno;
        flags.fetch_and(~mine);
        if ((mine & detail::flag_shut_send) != 0) h->slot().own_end.store(0);
        if (error == ENOTCONN) {
            detail::connection_state::collect_for_all(h->fd(), h->slot()); // the kernel says the same after a reset
            // If the socket never was connected, the kernel shuts down its next connection (measured); a call that fails must not.
            const auto seen = detail::connection_state::view(h->fd(), h->slot());
            if (seen.closed() && !seen.connected) detail::connection_state::renew(h->fd());
        }
        ec = detail::told_error(detail::connection_state::of_error(h->fd(), h->slot(), error));
    }
}

void shared_socket::shutdown(int how)
{
    detail::or_throw("sharedsock::shared_socket::shutdown", [&](error_code& ec) { shutdown(how, ec); });
}

int shared_socket::release(error_code& ec)
{
    handle* const h = checked(impl_, ec);
    return h != nullptr ? h->end(handle::ending::release, ec) : -1;
}

int shared_socket::release()
{
    return detail::or_throw("sharedsock::shared_socket::release", [&](error_code& ec) { return release(ec); });
}

// --- the holders ------------------------------------------------------------------------------------------------------

bool shared_socket::is_open() const noexcept
{
    error_code ignored;
    return detail::opened(impl_, ignored) != nullptr;
}
int shared_socket::native_handle() const noexcept { return is_open() ? impl_->fd() : -1; }

std::uint64_t shared_socket::id() const noexcept
{
    return is_open() ? impl_->socket().as_number() : detail::record_id().as_number();
}

std::uint64_t shared_socket::handle_id() const noexcept
{
    return is_open() ? impl_->which().handle.as_number() : detail::record_id().as_number();
}

segment shared_socket::where() const { return impl_ != nullptr ? segment(impl_->where_ptr()) : segment(); }

std::vector<handle_info> shared_socket::handles(error_code& ec) const
{
    std::vector<handle_info> all;
    const handle* const h  = checked(impl_, ec);
    membership* const self = h != nullptr ? h->member(ec) : nullptr;
    if (self == nullptr) return all;
    const std::uint32_t socket = h->socket().index;
    error_code stopped; // if another process keeps the lock, the list may be a moment old
    const membership::slot_guard guard(*self, socket, stopped);
    detail::handle_table::for_each(self->bytes(), socket, [&](std::uint32_t index, const detail::handle_record& record) {
        const detail::handle_life life = load(record);
        handle_info one;
        one.id              = detail::record_id{index, life.generation}.as_number();
        one.process         = {life.process, record.process_generation.load()};
        one.ticket          = life.state != detail::handle_state::held && life.state != detail::handle_state::claimed;
        one.standing_by     = record.standby_order.load() != 0;
        one.accepts_in_turn = !one.standing_by && (record.standby_mask.load() & detail::accepts_in_turn) != 0;
        one.descriptor      = record.descriptor;
        all.push_back(one);
        return true;
    });
    return all;
}

std::vector<handle_info> shared_socket::handles() const
{
    return detail::or_throw("sharedsock::shared_socket::handles", [&](error_code& ec) { return handles(ec); });
}

// --- addresses --------------------------------------------------------------------------------------------------------

void shared_socket::bind(const socket_address& address, error_code& ec)
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return;
    if (::bind(h->fd(), address.data(), address.size()) != 0) {
        ec = detail::last_error(detail::sys<"bind">);
        return;
    }
    if (!h->stream()) call_owner(*h, detail::send_events); // EVT-12
}

void shared_socket::bind(const socket_address& address)
{
    detail::or_throw("sharedsock::shared_socket::bind", [&](error_code& ec) { bind(address, ec); });
}

void shared_socket::listen(int backlog, error_code& ec)
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return;
    const bool first = (h->slot().flags.fetch_or(detail::flag_listening) & detail::flag_listening) == 0; // before an event can come
    if (::listen(h->fd(), backlog) != 0) {
        ec = detail::last_error(detail::sys<"listen">);
        if (first) h->slot().flags.fetch_and(~std::uint32_t{detail::flag_listening});
        return;
    }
    call_owner(*h, detail::accept_events);
}

void shared_socket::listen(int backlog)
{
    detail::or_throw("sharedsock::shared_socket::listen", [&](error_code& ec) { listen(backlog, ec); });
}

} // namespace sharedsock
