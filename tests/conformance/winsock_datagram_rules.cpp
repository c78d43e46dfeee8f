// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSK-9: the answers of datagram sockets.
#include "support/catch.hpp"
#include "support/winsock_session.hpp"

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

using namespace test;

TEST_CASE("a datagram socket receives nothing before it has an address", "[WSK-9]")
{
    const winsock_session session;
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_DGRAM, 0);
    char byte          = 0;
    sockaddr_in from{};
    int size = sizeof from;
    check_fails(ws::recv(s, &byte, 1, 0), ws::WSAEINVAL);
    check_fails(ws::recvfrom(s, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size), ws::WSAEINVAL);

    const ws::SOCKET other = bound_socket(SOCK_DGRAM);
    const sockaddr_in to   = loopback(port_of(other));
    REQUIRE(ws::sendto(s, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1); // gives it one
    u_long on = 1;
    REQUIRE(ws::ioctlsocket(s, FIONBIO, &on) == 0);
    check_fails(ws::recv(s, &byte, 1, 0), ws::WSAEWOULDBLOCK);
}

TEST_CASE("a send on a datagram socket without a peer is WSAENOTCONN", "[WSK-9]")
{
    const winsock_session session;
    const ws::SOCKET s = bound_socket(SOCK_DGRAM);
    check_fails(ws::send(s, "x", 1, 0), ws::WSAENOTCONN);
    check_fails(ws::sendto(s, "x", 1, 0, nullptr, 0), ws::WSAENOTCONN);
}

TEST_CASE("a datagram socket without a peer is shut down like any other", "[WSK-9]")
{
    const winsock_session session;
    const ws::SOCKET s    = bound_socket(SOCK_DGRAM);
    const sockaddr_in to  = loopback(port_of(s));
    const auto* const own = reinterpret_cast<const sockaddr*>(&to);
    REQUIRE(ws::shutdown(s, ws::SD_SEND) == 0);
    check_fails(ws::sendto(s, "x", 1, 0, own, sizeof to), ws::WSAESHUTDOWN);
    REQUIRE(ws::shutdown(s, ws::SD_RECEIVE) == 0);
    char byte = 0;
    check_fails(ws::recv(s, &byte, 1, 0), ws::WSAESHUTDOWN);
}

TEST_CASE("a datagram socket has no urgent data", "[WSK-9]")
{
    const winsock_session session;
    const ws::SOCKET s   = bound_socket(SOCK_DGRAM);
    const sockaddr_in to = loopback(port_of(s));
    char byte            = 0;
    REQUIRE(ws::sendto(s, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1);
    check_fails(ws::sendto(s, "x", 1, MSG_OOB, reinterpret_cast<const sockaddr*>(&to), sizeof to), ws::WSAEOPNOTSUPP);
    check_fails(ws::recv(s, &byte, 1, MSG_OOB), ws::WSAEOPNOTSUPP);
    CHECK(ws::recv(s, &byte, 1, 0) == 1); // nothing was taken
}

TEST_CASE("a datagram to a port without a socket is WSAECONNRESET for its connected sender", "[WSK-9]")
{
    const winsock_session session;
    const ws::SOCKET nobody   = bound_socket(SOCK_DGRAM);
    const unsigned short port = port_of(nobody);
    REQUIRE(ws::closesocket(nobody) == 0);
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(connect_to(s, port) == 0);
    REQUIRE(ws::send(s, "x", 1, 0) == 1);
    char byte = 0;
    check_fails(ws::recv(s, &byte, 1, 0), ws::WSAECONNRESET);
}
