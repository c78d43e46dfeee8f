// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Values of options, and of WSAPROTOCOL_INFO: the translations that need no system call.
#include "support/catch.hpp"
#include "winsock/option_value.hpp"
#include "winsock/protocol_info.hpp"

#include <sharedsock/ticket.hpp>
#include <sharedsock/winsock/constants.hpp>

#include <cstring>

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ws = sharedsock::winsock;
using namespace sharedsock::winsock::detail;

TEST_CASE("milliseconds become a timeval and come back, rounded up", "[winsock]")
{
    CHECK(duration_of(0).tv_sec == 0);
    CHECK(duration_of(0).tv_usec == 0);
    CHECK(duration_of(1500).tv_sec == 1);
    CHECK(duration_of(1500).tv_usec == 500'000);
    CHECK(milliseconds_of({1, 500'000}) == 1500);
    CHECK(milliseconds_of({0, 1}) == 1); // 0 would be no limit at all
    CHECK(milliseconds_of({0, 0}) == 0);
    CHECK(milliseconds_of({1'000'000'000, 0}) == 0xFFFF'FFFF);
    for (const ws::DWORD limit : {1u, 999u, 1000u, 60'000u, 0xFFFF'FFFFu})
        CHECK(milliseconds_of(duration_of(limit)) == limit);
}

TEST_CASE("a flag may be a byte, two or an int", "[winsock]")
{
    int flag        = 7;
    const char byte = 1;
    CHECK(read_flag({&byte, 1}, flag));
    CHECK(flag == 1);
    const int whole = 256;
    char bytes[sizeof whole];
    std::memcpy(bytes, &whole, sizeof whole);
    CHECK(read_flag(bytes, flag));
    CHECK(flag == 256);
    CHECK_FALSE(read_flag({}, flag));
}

TEST_CASE("options whose values differ are known by level and name", "[winsock]")
{
    CHECK(kind_of(SOL_SOCKET, SO_RCVTIMEO) == option_kind::duration);
    CHECK(kind_of(SOL_SOCKET, SO_SNDTIMEO) == option_kind::duration);
    CHECK(kind_of(SOL_SOCKET, SO_ERROR) == option_kind::error);
    CHECK(kind_of(SOL_SOCKET, SO_KEEPALIVE) == option_kind::flag);
    CHECK(kind_of(SOL_SOCKET, ws::SO_DONTLINGER) == option_kind::dont_linger);
    CHECK(kind_of(SOL_SOCKET, ws::SO_EXCLUSIVEADDRUSE) == option_kind::exclusive);
    CHECK(kind_of(SOL_SOCKET, SO_LINGER) == option_kind::as_is);
    CHECK(kind_of(IPPROTO_TCP, TCP_NODELAY) == option_kind::flag);
    CHECK(kind_of(IPPROTO_TCP, SO_RCVTIMEO) == option_kind::as_is); // another level's number
    CHECK(kind_of(IPPROTO_IPV6, IPV6_V6ONLY) == option_kind::flag);
}

TEST_CASE("a protocol info tells the kind of its socket", "[winsock]")
{
    ws::WSAPROTOCOL_INFO info;
    describe(info, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK(info.iAddressFamily == AF_INET);
    CHECK(info.iSocketType == SOCK_STREAM);
    CHECK(info.iProtocol == IPPROTO_TCP);
    CHECK(info.iVersion == 2);
    CHECK(info.iMaxSockAddr == 16);
    CHECK(info.iMinSockAddr == 16);
    CHECK(info.dwMessageSize == 0);
    CHECK((info.dwServiceFlags1 & ws::XP1_GUARANTEED_DELIVERY) != 0);
    CHECK((info.dwServiceFlags1 & ws::XP1_CONNECTIONLESS) == 0);
    CHECK(std::strlen(info.szProtocol) > 0);

    describe(info, AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
    CHECK(info.iMaxSockAddr == 28);
    CHECK(info.dwMessageSize == 65'507);
    CHECK((info.dwServiceFlags1 & (ws::XP1_CONNECTIONLESS | ws::XP1_MESSAGE_ORIENTED)) != 0);
}

TEST_CASE("a protocol info carries a ticket or none", "[winsock][DUP-5]")
{
    ws::WSAPROTOCOL_INFO info;
    describe(info, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK_FALSE(carries_ticket(info));
    info.reserved_ticket[63] = 1;
    CHECK(carries_ticket(info));
    describe(info, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK_FALSE(carries_ticket(info));
}
