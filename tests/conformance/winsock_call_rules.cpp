// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSK: the answers of the calls on streams, of socket, accept and getpeername, and the last error.
#include "support/catch.hpp"
#include "support/skip.hpp"
#include "support/winsock_session.hpp"

#include <cstddef>
#include <span>
#include <system_error>

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

using namespace test;

namespace {

unsigned short peer_port(ws::SOCKET s)
{
    sockaddr_in address{};
    int size = sizeof address;
    return ws::getpeername(s, reinterpret_cast<sockaddr*>(&address), &size) == 0 ? ntohs(address.sin_port) : 0;
}

void make_nonblocking(ws::SOCKET s)
{
    u_long on = 1;
    REQUIRE(ws::ioctlsocket(s, FIONBIO, &on) == 0);
}

bool becomes_readable(ws::SOCKET s)
{
    ws::socket_set set{1, {s}};
    const timeval limit{20, 0};
    return ws::select(0, &set, nullptr, nullptr, &limit) == 1;
}

void check_no_socket(int family, int type, int protocol, int code)
{
    CHECK(ws::socket(family, type, protocol) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == code);
}

int type_of(ws::SOCKET s)
{
    int type = 0, size = sizeof type;
    return ws::getsockopt(s, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) == 0 ? type : 0;
}

} // namespace

TEST_CASE("recvfrom on a stream leaves the address and its length alone, and takes any", "[WSK-5]")
{
    const winsock_session session;
    const connected_pair pair;
    REQUIRE(ws::send(pair.far, "ab", 2, 0) == 2);
    sockaddr_in from{};
    from.sin_port = 7;
    char byte     = 0;
    int size      = 0;
    CHECK(ws::recvfrom(pair.near, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size) == 1);
    CHECK(size == 0);
    CHECK(from.sin_port == 7);
    size = sizeof from;
    CHECK(ws::recvfrom(pair.near, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size) == 1);
    CHECK(size == sizeof from);
    CHECK(from.sin_port == 7);
}

TEST_CASE("Winsock's shutdown of a listener is WSAENOTCONN, and connections still come", "[WSK-8][STATE-16]")
{
    const winsock_session session;
    const ws::SOCKET door = listener();
    for (const int how : {ws::SD_RECEIVE, ws::SD_SEND, ws::SD_BOTH})
        check_fails(ws::shutdown(door, how), ws::WSAENOTCONN);
    const ws::SOCKET client = ws::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect_to(client, port_of(door)) == 0);
    CHECK(ws::accept(door, nullptr, nullptr) != ws::INVALID_SOCKET);
}

TEST_CASE("after shutdown with SD_RECEIVE every receive is WSAESHUTDOWN, though data is there", "[WSK-8][STATE-6]")
{
    const winsock_session session;
    const connected_pair pair;
    REQUIRE(ws::send(pair.far, "late", 4, 0) == 4);
    REQUIRE(becomes_readable(pair.near));
    REQUIRE(ws::shutdown(pair.near, ws::SD_RECEIVE) == 0);
    char room[8];
    check_fails(ws::recv(pair.near, room, sizeof room, 0), ws::WSAESHUTDOWN);
    check_fails(ws::recv(pair.near, room, sizeof room, MSG_PEEK), ws::WSAESHUTDOWN);
    CHECK(ws::send(pair.near, "x", 1, 0) == 1);
    REQUIRE(ws::shutdown(pair.near, ws::SD_SEND) == 0);
    check_fails(ws::send(pair.near, "x", 1, 0), ws::WSAESHUTDOWN);
}

TEST_CASE("a receive of urgent data is WSAEWOULDBLOCK if there is none, in Winsock's face and not natively", "[WSK-8][EVT-13]")
{
    const winsock_session session;
    const connected_pair pair;
    char byte = 0;
    check_fails(ws::recv(pair.near, &byte, 1, MSG_OOB), ws::WSAEWOULDBLOCK);
    REQUIRE(ws::send(pair.far, "a", 1, 0) == 1);
    REQUIRE(becomes_readable(pair.near));
    check_fails(ws::recv(pair.near, &byte, 1, MSG_OOB), ws::WSAEWOULDBLOCK);
    sharedsock::error_code native;
    std::byte room[1];
    ws::library_socket(pair.near)->receive(std::span(room), MSG_OOB, native);
    CHECK(native == std::errc::invalid_argument);

    const int on = 1; // then there never will be any
    REQUIRE(ws::setsockopt(pair.near, SOL_SOCKET, SO_OOBINLINE, reinterpret_cast<const char*>(&on), sizeof on) == 0);
    check_fails(ws::recv(pair.near, &byte, 1, MSG_OOB), ws::WSAEINVAL);
}

TEST_CASE("a receive that is refused re-enables READ", "[WSK-8][EVT-2]")
{
    const winsock_session session;
    const ws::SOCKET receiver = bound_socket(SOCK_DGRAM);
    const ws::SOCKET sender   = bound_socket(SOCK_DGRAM);
    const ws::WSAEVENT event  = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(receiver, event, ws::FD_READ) == 0);
    const sockaddr_in to = loopback(port_of(receiver));
    REQUIRE(ws::sendto(sender, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1);
    REQUIRE(signalled(event, patience_ms));
    ws::WSANETWORKEVENTS happened{};
    REQUIRE(ws::WSAEnumNetworkEvents(receiver, event, &happened) == 0);
    CHECK(happened.lNetworkEvents == ws::FD_READ);
    CHECK_FALSE(signalled(event));
    char byte = 0;
    check_fails(ws::recv(receiver, &byte, 1, MSG_OOB), ws::WSAEOPNOTSUPP);
    CHECK(signalled(event, patience_ms));
}

TEST_CASE("a listener sends nothing and connects nowhere", "[WSK-8]")
{
    const winsock_session session;
    const ws::SOCKET door = listener();
    check_fails(ws::send(door, "x", 1, 0), ws::WSAENOTCONN);
    check_fails(connect_to(door, port_of(door)), ws::WSAEINVAL);
    char byte = 0;
    check_fails(ws::recv(door, &byte, 1, 0), ws::WSAENOTCONN);
}

TEST_CASE("a send that meets the reset of a peer which had ended in order is WSAECONNABORTED", "[WSK-8][STATE-9]")
{
    const winsock_session session;
    const connected_pair pair;
    REQUIRE(ws::closesocket(pair.far) == 0);
    REQUIRE(becomes_readable(pair.near));
    while (ws::send(pair.near, "x", 1, 0) == 1) { // the first one is taken, and answered with a reset
    }
    CHECK(ws::WSAGetLastError() == ws::WSAECONNABORTED);
    char byte = 0;
    CHECK(ws::recv(pair.near, &byte, 1, 0) == 0);
}

TEST_CASE("socket chooses what is left open, and names what it does not know", "[WSK-10]")
{
    const winsock_session session;
    CHECK(type_of(ws::socket(AF_INET, 0, 0)) == SOCK_STREAM);
    CHECK(type_of(ws::socket(AF_UNSPEC, SOCK_STREAM, 0)) == SOCK_STREAM);
    CHECK(type_of(ws::socket(AF_UNSPEC, 0, IPPROTO_TCP)) == SOCK_STREAM);
    CHECK(type_of(ws::socket(AF_INET, 0, IPPROTO_UDP)) == SOCK_DGRAM);
    check_no_socket(AF_UNSPEC, 0, 0, ws::WSAEINVAL);
    check_no_socket(AF_INET, 42, 0, ws::WSAESOCKTNOSUPPORT);
    check_no_socket(AF_INET, -1, 0, ws::WSAESOCKTNOSUPPORT);
    check_no_socket(AF_INET, SOCK_STREAM, 999, ws::WSAEPROTONOSUPPORT);
    check_no_socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP, ws::WSAEPROTONOSUPPORT);
    check_no_socket(222, SOCK_STREAM, 0, ws::WSAEAFNOSUPPORT);
}

TEST_CASE("a raw socket of IPv6 can be made", "[WSK-10]")
{
    const winsock_session session;
    const ws::SOCKET s = ws::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    if (s == ws::INVALID_SOCKET && (ws::WSAGetLastError() == ws::WSAEACCES || ws::WSAGetLastError() == ws::WSAEAFNOSUPPORT)) {
        test::skip("this process may make no raw socket of IPv6");
        return;
    }
    CHECK(type_of(s) == SOCK_RAW);
}

TEST_CASE("accept without room for an address takes the connection and tells none", "[WSK-10]")
{
    const winsock_session session;
    const ws::SOCKET door   = listener();
    const ws::SOCKET client = ws::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect_to(client, port_of(door)) == 0);
    sockaddr_in peer{};
    CHECK(ws::accept(door, reinterpret_cast<sockaddr*>(&peer), static_cast<int*>(nullptr)) != ws::INVALID_SOCKET);
    CHECK(peer.sin_port == 0);
}

TEST_CASE("getpeername knows the peer while connecting and after both ends were shut down", "[WSK-10]")
{
    const winsock_session session;
    const connected_pair pair;
    REQUIRE(ws::shutdown(pair.far, ws::SD_BOTH) == 0);
    REQUIRE(ws::shutdown(pair.near, ws::SD_BOTH) == 0);
    CHECK(peer_port(pair.near) == port_of(pair.far));
    CHECK(peer_port(pair.far) == port_of(pair.near));

    // The attempt stays open while the accept queue is full.
    const ws::SOCKET full = bound_socket();
    REQUIRE(ws::listen(full, 0) == 0);
    ws::SOCKET waiting{};
    do {
        waiting = ws::socket(AF_INET, SOCK_STREAM, 0);
        make_nonblocking(waiting);
        connect_to(waiting, port_of(full));
        ws::socket_set done{1, {waiting}};
        const timeval limit{0, 200'000};
        if (ws::select(0, nullptr, &done, nullptr, &limit) == 0) break;
    } while (true);
    CHECK(peer_port(waiting) == port_of(full));

    const ws::SOCKET fresh = ws::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(peer_port(fresh) == 0);
    CHECK(ws::WSAGetLastError() == ws::WSAENOTCONN);
}

TEST_CASE("a call that transfers data clears the last error, so that a loop over WSAEWOULDBLOCK ends", "[WSK-11]")
{
    const winsock_session session;
    const connected_pair pair;
    make_nonblocking(pair.near);
    char byte = 0;
    check_fails(ws::recv(pair.near, &byte, 1, 0), ws::WSAEWOULDBLOCK);
    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    REQUIRE(ws::closesocket(pair.far) == 0);
    int received = 0, got = 0;
    while ((got = ws::recv(pair.near, &byte, 1, 0)) > 0 || ws::WSAGetLastError() == ws::WSAEWOULDBLOCK)
        received += got > 0 ? got : 0;
    CHECK(received == 1);
    CHECK(got == 0);
    CHECK(ws::WSAGetLastError() == 0);
}
