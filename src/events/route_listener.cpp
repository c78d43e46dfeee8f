// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/route_listener.hpp"

#include "base/new_fd.hpp"
#include "events/detector.hpp"

#include <cerrno>
#include <utility>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace sharedsock::detail {
namespace {

constexpr std::uint32_t groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

void add(network_changes& to, int family, std::uint32_t event) noexcept
{
    if (family == AF_INET || family == AF_UNSPEC) to.inet |= event;
    if (family == AF_INET6 || family == AF_UNSPEC) to.inet6 |= event;
}

template <class Body>
const Body* body_of(const nlmsghdr& message) noexcept
{
    return message.nlmsg_len >= NLMSG_LENGTH(sizeof(Body)) ? static_cast<const Body*>(NLMSG_DATA(&message)) : nullptr;
}

void read(const nlmsghdr& message, network_changes& heard) noexcept
{
    switch (message.nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (const auto* const about = body_of<ifaddrmsg>(message)) add(heard, about->ifa_family, ev_address_change);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (const auto* const about = body_of<rtmsg>(message)) add(heard, about->rtm_family, ev_routing_change);
        break;
    case RTM_NEWLINK:
        if (const auto* const about = body_of<ifinfomsg>(message);
            about != nullptr && (about->ifi_change & (IFF_UP | IFF_RUNNING)) != 0)
            add(heard, AF_UNSPEC, ev_routing_change);
        break;
    case RTM_DELLINK:
        add(heard, AF_UNSPEC, ev_routing_change);
        break;
    default:
        break;
    }
}

} // namespace

std::uint32_t network_changes::of(int family) const noexcept { return family == AF_INET ? inet : family == AF_INET6 ? inet6 : 0; }

void route_listener::open(error_code& ec) noexcept
{
    ec.clear();
    if (socket_) return;
    unique_fd fresh = new_fd::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
    sockaddr_nl us{};
    us.nl_family = AF_NETLINK;
    us.nl_groups = groups;
    if (fresh && ::bind(fresh.get(), reinterpret_cast<const sockaddr*>(&us), sizeof us) == 0) {
        socket_ = std::move(fresh);
        return;
    }
    const bool local  = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
    const bool denied = errno == EPERM || errno == ENOSYS;
    if (local || denied)
        ec = last_error(fresh ? sys<"bind"> : sys<"socket">);
    else
        ec.assign(EOPNOTSUPP, boost::system::system_category());
}

network_changes route_listener::hear() noexcept
{
    network_changes heard;
    alignas(nlmsghdr) char room[8192];
    while (socket_) {
        sockaddr_nl from{};
        iovec piece{room, sizeof room};
        msghdr message{};
        message.msg_name    = &from;
        message.msg_namelen = sizeof from;
        message.msg_iov     = &piece;
        message.msg_iovlen  = 1;
        const auto got      = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno != ENOBUFS) break;
        if (got < 0 || (message.msg_flags & MSG_TRUNC) != 0) { // messages were lost: assume every change
            add(heard, AF_UNSPEC, ev_address_change | ev_routing_change);
            continue;
        }
        if (from.nl_pid != 0) continue; // not from the kernel
        auto left = static_cast<unsigned>(got);
        for (auto* one = reinterpret_cast<const nlmsghdr*>(room); NLMSG_OK(one, left); one = NLMSG_NEXT(one, left))
            read(*one, heard);
    }
    return heard;
}

} // namespace sharedsock::detail
