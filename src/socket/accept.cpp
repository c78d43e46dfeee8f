// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "events/local_registration.hpp"
#include "events/re_enabling.hpp"
#include "socket/accepted.hpp"
#include "socket/blocking.hpp"
#include "socket/in_delivery.hpp"
#include "tables/socket_table.hpp"

#include <sharedsock/shared_socket.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

namespace sharedsock {
namespace {

using detail::handle;
using detail::membership;

detail::unique_fd accept_one(handle& listener, membership& self, socket_address* peer, error_code& ec)
{
    detail::patient_call call(listener, SO_RCVTIMEO);
    for (;;) {
        detail::unique_fd accepted = detail::accept_now(listener, self, peer, ec);
        if (accepted) return accepted;
        if (ec.value() != EAGAIN || !call.may_wait()) return {};
        call.wait(POLLIN, ec);
        if (ec) return {};
    }
}

} // namespace

detail::unique_fd detail::accept_now(handle& listener, membership& self, socket_address* peer, error_code& ec)
{
    ec.clear();
    std::optional<membership::slot_guard> alone; // as `nonblocking_call` asks
    if (is_lent(listener)) alone.emplace(self, listener.socket().index, ec);
    if (ec) return {};
    const nonblocking_call here(listener);
    socklen_t size = socket_address::capacity();
    unique_fd accepted =
        new_fd::accept(listener.fd(), peer != nullptr ? peer->data() : nullptr, peer != nullptr ? &size : nullptr, SOCK_NONBLOCK);
    if (!accepted) ec = last_error(sys<"accept4">);
    if (accepted && peer != nullptr) peer->resize(std::min(size, socket_address::capacity()));
    return accepted;
}

std::shared_ptr<handle> detail::share_accepted(handle& listener, membership& self, unique_fd descriptor, error_code& ec)
{
    // STATE-13: the kernel copies its options, the library those in the slot. If there is no room for the new socket, the library
    // closes the connection, and the peer sees a reset or an end: leaving it in the queue needs a look at the tables before every
    // accept.
    socket_identity about;
    socklen_t size = sizeof about.cookie;
    if (::getsockopt(descriptor.get(), SOL_SOCKET, SO_COOKIE, &about.cookie, &size) != 0) {
        ec = last_error(sys<"getsockopt">);
        return nullptr;
    }
    about.family                  = listener.family();
    about.type                    = listener.type();
    about.protocol                = listener.protocol();
    about.flags                   = listener.slot().flags.load() & (flag_blocking | flag_linger);
    const socket_and_handle which = self.create_socket(about, ec);
    if (ec) return nullptr;
    auto made = handle::make(listener.where_ptr(), self, which, std::move(descriptor));
    socket_table::inherit_asked(made->slot(), listener.slot());
    return made;
}

std::shared_ptr<handle> detail::accept_in_delivery(handle& listener, membership& self, error_code& ec)
{
    ec.clear();
    unique_fd descriptor = accept_one(listener, self, nullptr, ec);
    return descriptor ? share_accepted(listener, self, std::move(descriptor), ec) : nullptr;
}

shared_socket shared_socket::accept(error_code& ec, socket_address* peer)
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return {};
    membership* const self = h->recent_member(ec);
    if (self == nullptr) return {};
    detail::unique_fd descriptor = accept_one(*h, *self, peer, ec);
    if (waits_for(h->slot(), detail::accept_events)) re_enable(*h, detail::accept_events); // EVT-2: a failing call re-enables too
    if (!descriptor) return {};
    shared_socket accepted(detail::share_accepted(*h, *self, std::move(descriptor), ec));
    if (!ec) detail::inherit_registration(*h, *accepted.impl());
    return accepted;
}

shared_socket shared_socket::accept(socket_address* peer)
{
    return detail::or_throw("sharedsock::shared_socket::accept", [&](error_code& ec) { return accept(ec, peer); });
}

} // namespace sharedsock
