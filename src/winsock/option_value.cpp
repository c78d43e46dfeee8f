// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "winsock/option_value.hpp"

#include <sharedsock/winsock/constants.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace sharedsock::winsock::detail {

option_kind kind_of(int level, int name) noexcept
{
    if (level == IPPROTO_TCP) return name == TCP_NODELAY ? option_kind::flag : option_kind::as_is;
    if (level == IPPROTO_IPV6) return name == IPV6_V6ONLY ? option_kind::flag : option_kind::as_is;
    if (level != SOL_SOCKET) return option_kind::as_is;
    switch (name) {
    case SO_BROADCAST:
    case SO_DEBUG:
    case SO_DONTROUTE:
    case SO_KEEPALIVE:
    case SO_OOBINLINE:
        return option_kind::flag;
    case SO_REUSEADDR:
        return option_kind::reuse;
    case SO_RCVBUF:
    case SO_SNDBUF:
        return option_kind::room;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
        return option_kind::duration;
    case SO_ERROR:
        return option_kind::error;
    case SO_DONTLINGER:
        return option_kind::dont_linger;
    case SO_EXCLUSIVEADDRUSE:
        return option_kind::exclusive;
    default:
        return option_kind::as_is;
    }
}

timeval duration_of(DWORD milliseconds) noexcept
{
    return {static_cast<time_t>(milliseconds / 1000), static_cast<suseconds_t>(milliseconds % 1000 * 1000)};
}

DWORD milliseconds_of(const timeval& duration) noexcept
{
    constexpr auto most   = std::numeric_limits<DWORD>::max();
    const auto seconds    = static_cast<std::uint64_t>(duration.tv_sec);
    const auto fractional = (static_cast<std::uint64_t>(duration.tv_usec) + 999) / 1000;
    return seconds > most / 1000 ? most : static_cast<DWORD>(std::min<std::uint64_t>(seconds * 1000 + fractional, most));
}

bool read_flag(std::span<const char> value, int& flag) noexcept
{
    if (value.empty()) return false;
    flag = 0;
    std::memcpy(&flag, value.data(), std::min(value.size(), sizeof flag)); // little-endian: a shorter value is its first bytes
    return true;
}

} // namespace sharedsock::winsock::detail
