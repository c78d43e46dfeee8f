// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "winsock/protocol_info.hpp"

#include <sharedsock/ticket.hpp>
#include <sharedsock/winsock/constants.hpp>

#include <algorithm>
#include <cstdio>
#include <type_traits>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace sharedsock::winsock::detail {
namespace {

static_assert(sizeof WSAPROTOCOL_INFO::reserved_ticket == ticket::size);
static_assert(std::is_trivially_copyable_v<WSAPROTOCOL_INFO>, "any IPC may carry its bytes (DUP-5)");

int largest_address(int family) noexcept
{
    switch (family) {
    case AF_INET:
        return sizeof(sockaddr_in);
    case AF_INET6:
        return sizeof(sockaddr_in6);
    case AF_UNIX:
        return sizeof(sockaddr_un);
    default:
        return sizeof(sockaddr_storage);
    }
}

const char* family_name(int family) noexcept
{
    switch (family) {
    case AF_INET:
        return "IP";
    case AF_INET6:
        return "IPv6";
    case AF_UNIX:
        return "Unix";
    default:
        return "other";
    }
}

DWORD services(int family, int type) noexcept
{
    const bool internet = family == AF_INET || family == AF_INET6;
    switch (type) {
    case SOCK_STREAM:
        return XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_GRACEFUL_CLOSE | (internet ? XP1_EXPEDITED_DATA : 0);
    case SOCK_SEQPACKET:
        return XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_GRACEFUL_CLOSE | XP1_MESSAGE_ORIENTED;
    default:
        return XP1_CONNECTIONLESS | XP1_MESSAGE_ORIENTED | (family == AF_INET ? XP1_SUPPORT_BROADCAST : 0);
    }
}

} // namespace

void describe(WSAPROTOCOL_INFO& info, int family, int type, int protocol) noexcept
{
    info                   = {};
    info.dwServiceFlags1   = services(family, type);
    info.iVersion          = 2;
    info.iAddressFamily    = family;
    info.iMaxSockAddr      = largest_address(family);
    info.iMinSockAddr      = family == AF_UNIX ? static_cast<int>(sizeof(sa_family_t)) : info.iMaxSockAddr;
    info.iSocketType       = type;
    info.iProtocol         = protocol;
    info.iNetworkByteOrder = BIGENDIAN;
    info.dwMessageSize     = type == SOCK_STREAM ? 0 : 65'507;
    std::snprintf(info.szProtocol, sizeof info.szProtocol, "sharedsock %s, type %d, protocol %d", family_name(family), type,
                  protocol);
}

bool carries_ticket(const WSAPROTOCOL_INFO& info) noexcept
{
    return std::ranges::any_of(info.reserved_ticket, [](BYTE byte) { return byte != 0; });
}

} // namespace sharedsock::winsock::detail
