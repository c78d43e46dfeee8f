// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Setting and reading options. The translation of values is in option_value.cpp.
#include "winsock/arguments.hpp"
#include "winsock/layer.hpp"
#include "winsock/option_value.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sharedsock::winsock {
namespace {

using detail::option_kind;
using detail::refusal;
using detail::through;

void set(shared_socket& socket, int level, int name, std::span<const char> value, error_code& ec)
{
    const option_kind kind = detail::kind_of(level, name);
    int flag               = 0;
    const bool wants_flag  = kind == option_kind::flag || kind == option_kind::dont_linger || kind == option_kind::exclusive;
    if (wants_flag && !detail::read_flag(value, flag)) {
        ec = refusal(EFAULT);
    } else if (kind == option_kind::flag) {
        socket.set_option(level, name, &flag, sizeof flag, ec);
    } else if (kind == option_kind::exclusive) {
        const int reuse = flag == 0 ? 1 : 0;
        socket.set_option(SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse, ec);
    } else if (kind == option_kind::dont_linger) {
        linger closing{};
        socket.get_option(SOL_SOCKET, SO_LINGER, &closing, sizeof closing, ec);
        closing.l_onoff = flag == 0 ? 1 : 0;
        if (!ec) socket.set_option(SOL_SOCKET, SO_LINGER, &closing, sizeof closing, ec);
    } else if (kind == option_kind::duration && value.size() == sizeof(DWORD)) {
        DWORD milliseconds = 0;
        std::memcpy(&milliseconds, value.data(), sizeof milliseconds);
        const timeval limit = detail::duration_of(milliseconds);
        socket.set_option(level, name, &limit, sizeof limit, ec);
    } else {
        socket.set_option(level, name, value.data(), value.size(), ec);
    }
}

// The kernel's value, in Linux's form first.
template <class Value>
Value ask(const shared_socket& socket, int level, int name, error_code& ec)
{
    Value value{};
    socket.get_option(level, name, &value, sizeof value, ec);
    return value;
}

template <class Value>
std::size_t give(const Value& value, std::span<char> room, error_code& ec)
{
    const std::size_t size = std::min(sizeof value, room.size());
    if (!ec) std::memcpy(room.data(), &value, size);
    return size;
}

std::size_t get(const shared_socket& socket, int level, int name, std::span<char> room, error_code& ec)
{
    switch (detail::kind_of(level, name)) {
    case option_kind::error: {
        const error_code pending(ask<int>(socket, level, name, ec), boost::system::system_category());
        return give(to_winsock_error(pending), room, ec);
    }
    case option_kind::dont_linger: {
        const BOOL off = ask<linger>(socket, SOL_SOCKET, SO_LINGER, ec).l_onoff == 0;
        return give(off, room, ec);
    }
    case option_kind::exclusive: {
        const BOOL alone = ask<int>(socket, SOL_SOCKET, SO_REUSEADDR, ec) == 0;
        return give(alone, room, ec);
    }
    case option_kind::duration:
        if (room.size() < sizeof(timeval)) return give(detail::milliseconds_of(ask<timeval>(socket, level, name, ec)), room, ec);
        break;
    case option_kind::flag:
    case option_kind::as_is:
        break;
    }
    return socket.get_option(level, name, room.data(), room.size(), ec);
}

// Winsock: whether the next receive gets nothing that lies before urgent data. Linux: whether it begins at the mark.
u_long at_mark(const shared_socket& socket, error_code& ec)
{
    int mark = 0;
    pollfd urgent{socket.native_handle(), POLLPRI, 0};
    if (::ioctl(urgent.fd, SIOCATMARK, &mark) != 0 || ::poll(&urgent, 1, 0) < 0) ec = refusal(errno);
    return mark != 0 || (urgent.revents & POLLPRI) == 0 ? 1 : 0;
}

} // namespace

int setsockopt(SOCKET s, int level, int optname, const char* optval, int optlen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        if (optval == nullptr || optlen < 0)
            ec = refusal(EFAULT);
        else
            set(socket, level, optname, {optval, static_cast<std::size_t>(optlen)}, ec);
    });
}

int getsockopt(SOCKET s, int level, int optname, char* optval, int* optlen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        if (optval == nullptr || optlen == nullptr || *optlen <= 0) {
            ec = refusal(EFAULT);
            return;
        }
        const std::size_t size = get(socket, level, optname, {optval, static_cast<std::size_t>(*optlen)}, ec);
        if (!ec) *optlen = static_cast<int>(size);
    });
}

int ioctlsocket(SOCKET s, long cmd, u_long* argp)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        if (argp == nullptr) {
            ec = refusal(EFAULT);
        } else if (cmd == FIONBIO) {
            socket.set_blocking(*argp == 0, ec);
        } else if (cmd == FIONREAD) {
            int count = 0;
            if (::ioctl(socket.native_handle(), FIONREAD, &count) != 0) ec = refusal(errno);
            if (!ec) *argp = static_cast<u_long>(count);
        } else if (cmd == SIOCATMARK) {
            const u_long answer = at_mark(socket, ec);
            if (!ec) *argp = answer;
        } else {
            ec = refusal(EOPNOTSUPP);
        }
    });
}

} // namespace sharedsock::winsock
