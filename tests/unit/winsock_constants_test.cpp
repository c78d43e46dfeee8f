// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"

#include <sharedsock/network_event.hpp>
#include <sharedsock/winsock/constants.hpp>

#include <map>
#include <type_traits>
#include <unordered_set>

#include <sys/ioctl.h>
#include <sys/socket.h>

namespace ws = sharedsock::winsock;

TEST_CASE("the numbers are those that Winsock documents", "[winsock]")
{
    const std::map<int, int> documented = {
        {ws::WSAEINTR, 10004},           {ws::WSAEBADF, 10009},
        {ws::WSAEACCES, 10013},          {ws::WSAEFAULT, 10014},
        {ws::WSAEINVAL, 10022},          {ws::WSAEMFILE, 10024},
        {ws::WSAEWOULDBLOCK, 10035},     {ws::WSAEINPROGRESS, 10036},
        {ws::WSAEALREADY, 10037},        {ws::WSAENOTSOCK, 10038},
        {ws::WSAEDESTADDRREQ, 10039},    {ws::WSAEMSGSIZE, 10040},
        {ws::WSAEPROTOTYPE, 10041},      {ws::WSAENOPROTOOPT, 10042},
        {ws::WSAEPROTONOSUPPORT, 10043}, {ws::WSAESOCKTNOSUPPORT, 10044},
        {ws::WSAEOPNOTSUPP, 10045},      {ws::WSAEPFNOSUPPORT, 10046},
        {ws::WSAEAFNOSUPPORT, 10047},    {ws::WSAEADDRINUSE, 10048},
        {ws::WSAEADDRNOTAVAIL, 10049},   {ws::WSAENETDOWN, 10050},
        {ws::WSAENETUNREACH, 10051},     {ws::WSAENETRESET, 10052},
        {ws::WSAECONNABORTED, 10053},    {ws::WSAECONNRESET, 10054},
        {ws::WSAENOBUFS, 10055},         {ws::WSAEISCONN, 10056},
        {ws::WSAENOTCONN, 10057},        {ws::WSAESHUTDOWN, 10058},
        {ws::WSAETOOMANYREFS, 10059},    {ws::WSAETIMEDOUT, 10060},
        {ws::WSAECONNREFUSED, 10061},    {ws::WSAELOOP, 10062},
        {ws::WSAENAMETOOLONG, 10063},    {ws::WSAEHOSTDOWN, 10064},
        {ws::WSAEHOSTUNREACH, 10065},    {ws::WSAENOTEMPTY, 10066},
        {ws::WSAEPROCLIM, 10067},        {ws::WSAEUSERS, 10068},
        {ws::WSAEDQUOT, 10069},          {ws::WSAESTALE, 10070},
        {ws::WSAEREMOTE, 10071},         {ws::WSASYSNOTREADY, 10091},
        {ws::WSAVERNOTSUPPORTED, 10092}, {ws::WSANOTINITIALISED, 10093},
        {ws::WSAEDISCON, 10101},         {ws::WSAECANCELLED, 10103},
        {ws::WSAHOST_NOT_FOUND, 11001},  {ws::WSATRY_AGAIN, 11002},
        {ws::WSANO_RECOVERY, 11003},     {ws::WSANO_DATA, 11004},
        {ws::WSA_INVALID_HANDLE, 6},     {ws::WSA_NOT_ENOUGH_MEMORY, 8},
        {ws::WSA_INVALID_PARAMETER, 87}, {ws::WSA_OPERATION_ABORTED, 995},
        {ws::WSA_IO_PENDING, 997},
    };
    CHECK(documented.size() == 57); // no two names have one number
    for (const auto& [ours, number] : documented)
        CHECK(ours == number);

    CHECK(ws::FD_READ == 0x01);
    CHECK(ws::FD_WRITE == 0x02);
    CHECK(ws::FD_OOB == 0x04);
    CHECK(ws::FD_ACCEPT == 0x08);
    CHECK(ws::FD_CONNECT == 0x10);
    CHECK(ws::FD_CLOSE == 0x20);
    CHECK(ws::FD_QOS == 0x40);
    CHECK(ws::FD_GROUP_QOS == 0x80);
    CHECK(ws::FD_ROUTING_INTERFACE_CHANGE == 0x100);
    CHECK(ws::FD_ADDRESS_LIST_CHANGE == 0x200);
    CHECK(ws::FD_ALL_EVENTS == 0x3FF);
    CHECK(ws::FD_MAX_EVENTS == 10);

    CHECK(static_cast<ws::UINT_PTR>(ws::INVALID_SOCKET) == ~ws::UINT_PTR{0});
    CHECK(ws::SOCKET_ERROR == -1);
    CHECK(ws::FROM_PROTOCOL_INFO == -1);
    CHECK(ws::WSA_WAIT_EVENT_0 == 0);
    CHECK(ws::WSA_WAIT_TIMEOUT == 0x102);
    CHECK(ws::WSA_WAIT_FAILED == 0xFFFFFFFF);
    CHECK(ws::WSA_INFINITE == 0xFFFFFFFF);
    CHECK(ws::WSA_MAXIMUM_WAIT_EVENTS == 64);
    CHECK(ws::SD_RECEIVE == 0);
    CHECK(ws::SD_SEND == 1);
    CHECK(ws::SD_BOTH == 2);
}

TEST_CASE("Linux's numbers do not collide with Winsock's", "[winsock]")
{
    // Names whose numbers are the same in both systems, so that they need no translation.
    CHECK(ws::SD_RECEIVE == SHUT_RD);
    CHECK(ws::SD_SEND == SHUT_WR);
    CHECK(ws::SD_BOTH == SHUT_RDWR);
    const std::unordered_set<int> options = {SO_DEBUG,     SO_REUSEADDR,  SO_TYPE,           SO_ERROR,
                                             SO_DONTROUTE, SO_BROADCAST,  SO_SNDBUF,         SO_RCVBUF,
                                             SO_KEEPALIVE, SO_OOBINLINE,  SO_LINGER,         SO_RCVTIMEO,
                                             SO_SNDTIMEO,  SO_ACCEPTCONN, ws::SO_DONTLINGER, ws::SO_EXCLUSIVEADDRUSE};
    CHECK(options.size() == 16);
    CHECK(std::unordered_set<long>{FIONBIO, FIONREAD, SIOCATMARK}.size() == 3);
}

TEST_CASE("a SOCKET is an integer of Windows' width, and INVALID_SOCKET is -1 in all of them", "[winsock]")
{
    STATIC_REQUIRE(std::is_same_v<ws::SOCKET, ws::UINT_PTR>);
    STATIC_REQUIRE(sizeof(ws::SOCKET) == sizeof(void*));
    CHECK(static_cast<int>(ws::INVALID_SOCKET) == ws::SOCKET_ERROR);
    CHECK(ws::INVALID_SOCKET == static_cast<ws::SOCKET>(ws::SOCKET_ERROR)); // many programs rely on it
}

TEST_CASE("Windows' types have the sizes that they have on Windows", "[winsock]")
{
    STATIC_REQUIRE(sizeof(ws::BYTE) == 1);
    STATIC_REQUIRE(sizeof(ws::WORD) == 2);
    STATIC_REQUIRE(sizeof(ws::DWORD) == 4);
    STATIC_REQUIRE(sizeof(ws::BOOL) == 4);
    STATIC_REQUIRE(sizeof(ws::WPARAM) == 8);
    CHECK(ws::MAKEWORD(2, 1) == 0x0102);
    CHECK(ws::LOBYTE(0x0102) == 2);
    CHECK(ws::HIBYTE(0x0102) == 1);
}

TEST_CASE("a message of WSAAsyncSelect is taken apart into the event and the error of which it was made", "[winsock][ASYNC-2]")
{
    const ws::LPARAM failed = ws::WSAMAKESELECTREPLY(ws::FD_CONNECT, ws::WSAECONNREFUSED);
    CHECK(ws::WSAGETSELECTEVENT(failed) == ws::FD_CONNECT);
    CHECK(ws::WSAGETSELECTERROR(failed) == ws::WSAECONNREFUSED);
    CHECK(ws::WSAGETSELECTERROR(ws::WSAMAKESELECTREPLY(ws::FD_READ, 0)) == 0);
}

TEST_CASE("a socket_set holds each SOCKET once, and no more than it has room for", "[winsock]")
{
    ws::socket_set set;
    ws::set_clear(set);
    for (ws::UINT_PTR number = 1; number <= 70; ++number) {
        ws::set_insert(static_cast<ws::SOCKET>(number), set);
        ws::set_insert(static_cast<ws::SOCKET>(number), set);
    }
    CHECK(set.fd_count == 64);
    CHECK(ws::set_contains(static_cast<ws::SOCKET>(64), set));
    CHECK_FALSE(ws::set_contains(static_cast<ws::SOCKET>(65), set));
    ws::set_erase(static_cast<ws::SOCKET>(1), set);
    ws::set_erase(static_cast<ws::SOCKET>(1), set);
    CHECK(set.fd_count == 63);
    CHECK(set.fd_array[0] == static_cast<ws::SOCKET>(2));
}
