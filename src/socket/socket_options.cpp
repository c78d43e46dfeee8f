// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The state of a socket that all its handles have in common (STATE). The kernel keeps nearly all of it; the slot has the rest.
#include "attach/handle.hpp"
#include "base/syscall.hpp"
#include "events/connection_state.hpp"

#include <sharedsock/shared_socket.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include <sys/socket.h>

namespace sharedsock {
namespace {

using detail::handle;

// SO_ERROR, read and cleared for all handles: first the error that a process collected from the kernel for all (STATE-8).
int take_socket_error(handle& h) noexcept
{
    if (const int kept = detail::errno_in(h.slot().pending_error.exchange(0)); kept != 0) return kept;
    return detail::connection_state::collect(h.fd(), h.slot());
}

bool registered(const handle& h) noexcept
{
    const auto word                = detail::load(h.slot().registration);
    detail::membership* const self = h.where().member();
    if (!word.owned() || self == nullptr || !self->sweep_if_dead(word.owner)) return word.owned();
    return detail::load(h.slot().registration).owned(); // a registration ends with its owner (REG-18)
}

template <class Call>
socket_address ask_for_address(const std::shared_ptr<handle>& impl, Call call, const detail::call_category& name, error_code& ec)
{
    socket_address address;
    const handle* const h = checked(impl, ec);
    if (h == nullptr) return address;
    socklen_t size = socket_address::capacity();
    if (call(h->fd(), address.data(), &size) != 0) {
        ec = detail::last_error(name);
        return {};
    }
    address.resize(std::min(size, socket_address::capacity()));
    return address;
}

} // namespace

socket_address shared_socket::local_address(error_code& ec) const
{
    return ask_for_address(impl_, ::getsockname, detail::sys<"getsockname">, ec);
}

socket_address shared_socket::local_address() const
{
    return detail::or_throw("sharedsock::shared_socket::local_address", [&](error_code& ec) { return local_address(ec); });
}

socket_address shared_socket::peer_address(error_code& ec) const
{
    return ask_for_address(impl_, ::getpeername, detail::sys<"getpeername">, ec);
}

socket_address shared_socket::peer_address() const
{
    return detail::or_throw("sharedsock::shared_socket::peer_address", [&](error_code& ec) { return peer_address(ec); });
}

bool shared_socket::blocking() const
{
    return detail::or_throw("sharedsock::shared_socket::blocking", [&](error_code& ec) {
        const handle* const h = opened(impl_, ec);
        return h != nullptr && (h->slot().flags.load() & detail::flag_blocking) != 0;
    });
}

void shared_socket::set_blocking(bool on, error_code& ec)
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return;
    detail::atomic_u32& flags = h->slot().flags;
    if (!on) {
        flags.fetch_and(~std::uint32_t{detail::flag_blocking});
        return;
    }
    if (!registered(*h)) {
        flags.fetch_or(detail::flag_blocking);
        if (!registered(*h)) return;
        flags.fetch_and(~std::uint32_t{detail::flag_blocking}); // a registration came in between, and it wins (REG-12)
    }
    ec = errc::blocking_while_registered;
}

void shared_socket::set_blocking(bool on)
{
    detail::or_throw("sharedsock::shared_socket::set_blocking", [&](error_code& ec) { set_blocking(on, ec); });
}

void shared_socket::set_option(int level, int name, const void* value, std::size_t size, error_code& ec)
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return;
    if (::setsockopt(h->fd(), level, name, value, static_cast<socklen_t>(size)) != 0) {
        ec = detail::last_error(detail::sys<"setsockopt">);
        return;
    }
    if (level != SOL_SOCKET || name != SO_LINGER) return;
    linger asked{};
    std::memcpy(&asked, value, std::min(size, sizeof asked));
    if (asked.l_onoff != 0 && asked.l_linger != 0)
        h->slot().flags.fetch_or(detail::flag_linger);
    else
        h->slot().flags.fetch_and(~std::uint32_t{detail::flag_linger});
}

std::size_t shared_socket::get_option(int level, int name, void* value, std::size_t size, error_code& ec) const
{
    handle* const h = checked(impl_, ec);
    if (h == nullptr) return 0;
    if (level == SOL_SOCKET && name == SO_ERROR) {
        const int error = take_socket_error(*h);
        std::memcpy(value, &error, std::min(size, sizeof error));
        return std::min(size, sizeof error);
    }
    auto length = static_cast<socklen_t>(size);
    if (::getsockopt(h->fd(), level, name, value, &length) == 0) return length;
    ec = detail::last_error(detail::sys<"getsockopt">);
    return 0;
}

error_code shared_socket::take_error()
{
    return detail::or_throw("sharedsock::shared_socket::take_error", [&](error_code& ec) {
        handle* const h = opened(impl_, ec);
        return h != nullptr ? detail::told_error(take_socket_error(*h)) : error_code();
    });
}

int shared_socket::family() const noexcept { return impl_ != nullptr ? impl_->family() : AF_UNSPEC; }
int shared_socket::type() const noexcept { return impl_ != nullptr ? impl_->type() : 0; }
int shared_socket::protocol() const noexcept { return impl_ != nullptr ? impl_->protocol() : 0; }

} // namespace sharedsock
