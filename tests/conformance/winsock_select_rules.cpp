// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSK-6 and WSK-7: select.
#include "support/catch.hpp"
#include "support/winsock_session.hpp"

#include <chrono>
#include <future>
#include <memory>

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

using namespace test;

namespace {

constexpr timeval now{0, 0};
constexpr timeval long_time{20, 0};

// The sets in which `s` is ready: 1 reading, 2 writing, 4 exceptions.
int ready_for(ws::SOCKET s, const timeval& limit = now)
{
    ws::socket_set reading{1, {s}}, writing{1, {s}}, failing{1, {s}};
    if (ws::select(0, &reading, &writing, &failing, &limit) < 0) return -1;
    return static_cast<int>(reading.fd_count | writing.fd_count << 1 | failing.fd_count << 2);
}

bool becomes_ready(ws::SOCKET s, int which)
{
    ws::socket_set set{1, {s}};
    ws::socket_set* const none = nullptr;
    return ws::select(0, which == 1 ? &set : none, which == 2 ? &set : none, which == 4 ? &set : none, &long_time) == 1;
}

unsigned short port_of_nobody()
{
    const ws::SOCKET s        = bound_socket();
    const unsigned short port = port_of(s);
    ws::closesocket(s);
    return port;
}

void begin_to_connect(ws::SOCKET s, unsigned short port)
{
    u_long on = 1;
    REQUIRE(ws::ioctlsocket(s, FIONBIO, &on) == 0);
    check_fails(connect_to(s, port), ws::WSAEWOULDBLOCK);
}

} // namespace

TEST_CASE("select takes sets of any size, and finds the last member too", "[WSK-6]")
{
    const winsock_session session;
    auto set = std::make_unique<ws::basic_socket_set<200>>();
    ws::set_clear(*set);
    for (int i = 0; i < 199; ++i)
        ws::set_insert(bound_socket(SOCK_DGRAM), *set);
    const ws::SOCKET last = bound_socket(SOCK_DGRAM);
    ws::set_insert(last, *set);
    CHECK(set->fd_count == 200);
    const sockaddr_in to = loopback(port_of(last));
    REQUIRE(ws::sendto(last, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1);
    CHECK(ws::select(0, set.get(), nullptr, nullptr, &long_time) == 1);
    CHECK(set->fd_count == 1);
    CHECK(ws::set_contains(last, *set));
}

TEST_CASE("select over nothing is WSAEINVAL", "[WSK-6]")
{
    const winsock_session session;
    ws::socket_set empty{};
    check_fails(ws::select(0, nullptr, nullptr, nullptr, &now), ws::WSAEINVAL);
    check_fails(ws::select(0, &empty, &empty, &empty, &now), ws::WSAEINVAL);
}

TEST_CASE("closesocket ends a select that waits for the SOCKET", "[WSK-6]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::SOCKET fresh = ws::socket(AF_INET, SOCK_STREAM, 0);
    for (const ws::SOCKET s : {pair.near, fresh}) {
        auto other = std::async(std::launch::async, [&] {
            ws::socket_set set{1, {s}};
            return ws::select(0, &set, nullptr, nullptr, nullptr) == ws::SOCKET_ERROR ? ws::WSAGetLastError() : 0;
        });
        REQUIRE(other.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout); // likely to wait by then
        REQUIRE(ws::closesocket(s) == 0);
        CHECK(other.get() == ws::WSAENOTSOCK);
    }
}

TEST_CASE("a stream socket without a connection is ready for nothing, and becomes so when it is connected meanwhile", "[WSK-7]")
{
    const winsock_session session;
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(ready_for(s) == 0);
    const ws::SOCKET bound = bound_socket();
    CHECK(ready_for(bound) == 0);
    const ws::SOCKET door = listener();
    auto other            = std::async(std::launch::async, [&] { return becomes_ready(s, 2); });
    REQUIRE(other.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
    REQUIRE(connect_to(s, port_of(door)) == 0);
    CHECK(other.get());
    CHECK(ready_for(s) == 2);
}

TEST_CASE("an attempt to connect that is refused is an exception and not writable, before and after SO_ERROR was read", "[WSK-7]")
{
    const winsock_session session;
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_STREAM, 0);
    begin_to_connect(s, port_of_nobody());
    REQUIRE(becomes_ready(s, 4));
    CHECK(ready_for(s) == 4);
    int error = 0, size = sizeof error;
    REQUIRE(ws::getsockopt(s, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size) == 0);
    CHECK(error == ws::WSAECONNREFUSED);
    CHECK(ready_for(s) == 4);

    const ws::SOCKET door = listener(); // the next attempt
    u_long off            = 0;
    REQUIRE(ws::ioctlsocket(s, FIONBIO, &off) == 0);
    REQUIRE(connect_to(s, port_of(door)) == 0);
    CHECK(ready_for(s) == 2);
}

TEST_CASE("urgent data is an exception, and with SO_OOBINLINE none but readable", "[WSK-7]")
{
    const winsock_session session;
    const connected_pair plain, in_line;
    const int on = 1;
    REQUIRE(ws::setsockopt(in_line.near, SOL_SOCKET, SO_OOBINLINE, reinterpret_cast<const char*>(&on), sizeof on) == 0);
    REQUIRE(ws::send(plain.far, "!", 1, MSG_OOB) == 1);
    REQUIRE(ws::send(in_line.far, "!", 1, MSG_OOB) == 1);
    REQUIRE(becomes_ready(plain.near, 4));
    REQUIRE(becomes_ready(in_line.near, 1));
    CHECK((ready_for(plain.near) & 4) == 4);
    CHECK(ready_for(in_line.near) == (1 | 2));
}

TEST_CASE("a connection whose peer has ended is readable and no exception", "[WSK-7]")
{
    const winsock_session session;
    const connected_pair pair;
    REQUIRE(ws::closesocket(pair.far) == 0);
    REQUIRE(becomes_ready(pair.near, 1));
    CHECK(ready_for(pair.near) == (1 | 2));
}
