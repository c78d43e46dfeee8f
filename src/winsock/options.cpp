// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Setting and reading options. The translation of values is in option_value.cpp.
#include "attach/handle.hpp"
#include "winsock/address_use.hpp"
#include "winsock/arguments.hpp"
#include "winsock/layer.hpp"
#include "winsock/option_value.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sharedsock::winsock {
namespace {

using detail::option_kind;
using detail::refusal;
using detail::through;

// The word of the slot that keeps how an option was asked for (WSK-4); null for the other options.
sharedsock::detail::atomic_u64* asked_word(const shared_socket& socket, int name) noexcept
{
    if (socket.impl() == nullptr) return nullptr;
    auto& words = socket.impl()->slot().asked;
    switch (name) {
    case SO_RCVTIMEO:
        return &words[0];
    case SO_SNDTIMEO:
        return &words[1];
    case SO_RCVBUF:
        return &words[2];
    case SO_SNDBUF:
        return &words[3];
    default:
        return nullptr;
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

// The kernel's value of such an option.
std::uint32_t kernel_answer(const shared_socket& socket, int name, error_code& ec)
{
    if (name == SO_RCVBUF || name == SO_SNDBUF) return static_cast<std::uint32_t>(ask<int>(socket, SOL_SOCKET, name, ec));
    return detail::milliseconds_of(ask<timeval>(socket, SOL_SOCKET, name, ec));
}

void note_asked(const shared_socket& socket, int name, std::uint32_t value, error_code& ec)
{
    if (ec) return;
    auto* const word           = asked_word(socket, name);
    const std::uint32_t answer = kernel_answer(socket, name, ec);
    if (word != nullptr && !ec) word->store(std::uint64_t{value} << 32 | answer);
}

// The value that was asked for, as long as the kernel's is what it made of that: a native program may have set another.
std::uint32_t asked_value(const shared_socket& socket, int name, error_code& ec)
{
    const std::uint32_t answer = kernel_answer(socket, name, ec);
    const auto* const word     = asked_word(socket, name);
    const std::uint64_t kept   = word != nullptr ? word->load() : 0;
    return kept != 0 && static_cast<std::uint32_t>(kept) == answer ? static_cast<std::uint32_t>(kept >> 32) : answer;
}

void set_number(shared_socket& socket, option_kind kind, int name, std::uint32_t value, error_code& ec)
{
    const timeval limit = detail::duration_of(value);
    if (kind == option_kind::duration)
        socket.set_option(SOL_SOCKET, name, &limit, sizeof limit, ec);
    else
        socket.set_option(SOL_SOCKET, name, &value, sizeof value, ec);
    note_asked(socket, name, value, ec);
}

void set_dont_linger(shared_socket& socket, bool on, error_code& ec)
{
    auto closing    = ask<linger>(socket, SOL_SOCKET, SO_LINGER, ec);
    closing.l_onoff = on ? 0 : 1;
    if (!ec) socket.set_option(SOL_SOCKET, SO_LINGER, &closing, sizeof closing, ec);
}

void set_flag(shared_socket& socket, option_kind kind, int level, int name, std::span<const char> value, error_code& ec)
{
    int flag = 0;
    if (!detail::read_flag(value, flag))
        ec = refusal(EFAULT);
    else if (kind == option_kind::reuse)
        detail::address_use::set_reuse(socket, flag != 0, ec);
    else if (kind == option_kind::exclusive)
        detail::address_use::set_exclusive(socket, flag != 0, ec);
    else if (kind == option_kind::dont_linger)
        set_dont_linger(socket, flag != 0, ec);
    else
        socket.set_option(level, name, &flag, sizeof flag, ec);
}

void set(shared_socket& socket, int level, int name, std::span<const char> value, error_code& ec)
{
    const option_kind kind = detail::kind_of(level, name);
    switch (kind) {
    case option_kind::flag:
    case option_kind::reuse:
    case option_kind::exclusive:
    case option_kind::dont_linger:
        set_flag(socket, kind, level, name, value, ec);
        return;
    case option_kind::duration:
    case option_kind::room: {
        if (value.size() != sizeof(DWORD)) break;
        DWORD number = 0;
        std::memcpy(&number, value.data(), sizeof number);
        set_number(socket, kind, name, number, ec);
        return;
    }
    case option_kind::error:
    case option_kind::as_is:
        break;
    }
    socket.set_option(level, name, value.data(), value.size(), ec);
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
    case option_kind::reuse:
        return give(BOOL{detail::address_use::reuses(socket, ec)}, room, ec);
    case option_kind::exclusive:
        return give(BOOL{detail::address_use::is_exclusive(socket)}, room, ec);
    case option_kind::room:
        return give(asked_value(socket, name, ec), room, ec);
    case option_kind::duration:
        if (room.size() < sizeof(timeval)) return give(asked_value(socket, name, ec), room, ec);
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

// One of the three commands of ioctlsocket.
void control(shared_socket& socket, long command, u_long& value, error_code& ec)
{
    if (command == FIONBIO) {
        socket.set_blocking(value == 0, ec);
    } else if (command == FIONREAD) {
        int count = 0;
        if (::ioctl(socket.native_handle(), FIONREAD, &count) != 0) ec = refusal(errno);
        if (!ec) value = static_cast<u_long>(count);
    } else if (command == SIOCATMARK) {
        const u_long answer = at_mark(socket, ec);
        if (!ec) value = answer;
    } else {
        ec = refusal(EOPNOTSUPP);
    }
}

// Milliseconds as the kernel counts: in seconds, at least one.
int seconds_of(ULONG milliseconds) noexcept { return static_cast<int>(std::max<ULONG>(1, (milliseconds + 999) / 1000)); }

void set_keepalive(shared_socket& socket, const tcp_keepalive& wanted, error_code& ec)
{
    const int on = wanted.onoff != 0 ? 1 : 0, time = seconds_of(wanted.keepalivetime),
              interval = seconds_of(wanted.keepaliveinterval);
    if (on != 0) socket.set_option(IPPROTO_TCP, TCP_KEEPIDLE, &time, sizeof time, ec);
    if (on != 0 && !ec) socket.set_option(IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval, ec);
    if (!ec) socket.set_option(SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on, ec);
}

} // namespace

int WSAIoctl(SOCKET s, DWORD dwIoControlCode, void* lpvInBuffer, DWORD cbInBuffer, void* lpvOutBuffer, DWORD cbOutBuffer,
             LPDWORD lpcbBytesReturned, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    const bool changes   = dwIoControlCode == SIO_ADDRESS_LIST_CHANGE || dwIoControlCode == SIO_ROUTING_INTERFACE_CHANGE;
    const std::size_t in = dwIoControlCode == SIO_KEEPALIVE_VALS ? sizeof(tcp_keepalive)
                           : dwIoControlCode == FIONBIO          ? sizeof(DWORD)
                                                                 : 0;
    const bool answers   = in == 0 && !changes;
    const bool lacks     = lpcbBytesReturned == nullptr || (in != 0 && (lpvInBuffer == nullptr || cbInBuffer < in)) ||
                       (answers && (lpvOutBuffer == nullptr || cbOutBuffer < sizeof(DWORD)));
    DWORD returned   = 0;
    const int result = through(s, [&](shared_socket& socket, error_code& ec) {
        u_long number = 0;
        if (lpOverlapped != nullptr || lpCompletionRoutine != nullptr) {
            ec = refusal(EOPNOTSUPP);
        } else if (lacks) {
            ec = refusal(EFAULT);
        } else if (changes) {
            socket.request_change(dwIoControlCode == SIO_ADDRESS_LIST_CHANGE ? network_event::address_list_change
                                                                             : network_event::routing_interface_change,
                                  ec);
        } else if (dwIoControlCode == SIO_KEEPALIVE_VALS) {
            tcp_keepalive wanted{};
            std::memcpy(&wanted, lpvInBuffer, sizeof wanted);
            set_keepalive(socket, wanted, ec);
        } else if (dwIoControlCode == FIONBIO) {
            std::memcpy(&number, lpvInBuffer, sizeof(DWORD));
            socket.set_blocking(number == 0, ec);
        } else {
            control(socket, static_cast<long>(dwIoControlCode), number, ec);
            const auto answer = static_cast<DWORD>(number);
            if (!ec) std::memcpy(lpvOutBuffer, &answer, returned = sizeof answer);
        }
    });
    if (result == 0) *lpcbBytesReturned = returned;
    return result;
}

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
        if (argp == nullptr)
            ec = refusal(EFAULT);
        else
            control(socket, cmd, *argp, ec);
    });
}

} // namespace sharedsock::winsock
