// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The listeners of a generation: from its predecessor, from the service manager, or new ones.
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "restart/generation_impl.hpp"

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

namespace sharedsock::restart::detail {

using sharedsock::detail::error_of;
using sharedsock::detail::last_error;
using sharedsock::detail::sys;
namespace new_fd = sharedsock::detail::new_fd;

namespace {

constexpr std::size_t longest_name = 255;

std::vector<std::byte> bytes_of(const socket_address& address)
{
    const auto* const first = reinterpret_cast<const std::byte*>(address.data());
    return {first, first + address.size()};
}

unique_fd make_listener(const socket_address& address, int backlog, error_code& ec)
{
    unique_fd made = new_fd::socket(address.family(), SOCK_STREAM, 0);
    const int on   = 1;
    if (!made)
        ec = last_error(sys<"socket">);
    else if (address.family() != AF_UNIX && ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        ec = last_error(sys<"setsockopt">);
    else if (::bind(made.get(), address.data(), address.size()) != 0)
        ec = last_error(sys<"bind">);
    else if (::listen(made.get(), backlog) != 0)
        ec = last_error(sys<"listen">);
    return made;
}

// Two generations accept from it for a moment: one of them may find that the connection that woke it has gone.
void make_non_blocking(int number) noexcept { ::fcntl(number, F_SETFL, ::fcntl(number, F_GETFL) | O_NONBLOCK); }

descriptor duplicate(const unique_fd& from, error_code& ec)
{
    unique_fd made = new_fd::duplicate(from.get());
    if (!made) ec = last_error(sys<"fcntl">);
    return descriptor(made ? made.release() : -1);
}

} // namespace

descriptor generation_impl::listen(std::string_view name, const socket_address& address, int backlog, error_code& ec)
{
    if (!is_ours(ec)) return {};
    if (name.empty() || name.size() > longest_name) {
        ec = error_of(sys<"listen">, EINVAL);
        return {};
    }
    const std::vector<std::byte> asked = bytes_of(address);
    if (listener_table::entry* const found = home_.listeners.find(name, asked)) {
        descriptor mine = duplicate(found->descriptor, ec);
        if (!ec) found->claimed = true;
        return mine;
    }
    systemd::passed_descriptor passed = passed_.take(name);
    if (!passed) passed = passed_.take(SOCK_STREAM, address);
    unique_fd listener = passed ? unique_fd(passed.release()) : make_listener(address, backlog, ec);
    if (ec) return {};
    make_non_blocking(listener.get());
    descriptor mine = duplicate(listener, ec);
    home_.listeners.add({std::string(name), asked, std::move(listener), true});
    return mine;
}

descriptor generation_impl::inherit(std::string_view name, error_code& ec)
{
    if (!is_ours(ec)) return {};
    if (listener_table::entry* const found = home_.listeners.find(name, {})) {
        descriptor mine = duplicate(found->descriptor, ec);
        if (!ec) found->claimed = true;
        return mine;
    }
    systemd::passed_descriptor passed = passed_.take(name);
    if (!passed) return {};
    keep(name, passed.native_handle(), ec);
    return descriptor(ec ? -1 : passed.release());
}

void generation_impl::keep(std::string_view name, int number, error_code& ec)
{
    if (!is_ours(ec)) return;
    if (name.empty() || name.size() > longest_name) {
        ec = error_of(sys<"fcntl">, EINVAL);
        return;
    }
    unique_fd copy = new_fd::duplicate(number);
    if (!copy)
        ec = last_error(sys<"fcntl">);
    else
        home_.listeners.add({std::string(name), {}, std::move(copy), true});
}

} // namespace sharedsock::restart::detail
