// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The porter's header first, as its rule says; then other headers that a program may include.
#include "support/catch.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/winsock.hpp>
#include <sharedsock/winsock/bridge.hpp>

#include <cerrno>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// Written as Winsock programs are: unqualified names, qualified ones, casts, NULL, size_t for lengths, socklen_t.
SOCKET listen_anywhere(unsigned short* port)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (listener == INVALID_SOCKET) return INVALID_SOCKET;

    struct sockaddr_in address;
    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = inet_addr("127.0.0.1");
    address.sin_port        = htons(0);
    if (bind(listener, (SOCKADDR*)&address, sizeof(address)) == SOCKET_ERROR || ::listen(listener, SOMAXCONN) != 0) {
        closesocket(listener);
        return INVALID_SOCKET;
    }
    int size = sizeof(address);
    getsockname(listener, (struct sockaddr FAR*)&address, &size);
    *port = ntohs(address.sin_port);
    return listener;
}

// `socket` here is a member: it is no macro.
struct client {
    SOCKET socket;
};

} // namespace

TEST_CASE("a program that spells Winsock's names as on Windows compiles and runs", "[winsock]")
{
    use_segment(test::unique_name());
    WSADATA data;
    REQUIRE(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    CHECK(LOBYTE(data.wVersion) == 2);

    unsigned short port = 0;
    SOCKET listener     = listen_anywhere(&port);
    REQUIRE_FALSE(listener == INVALID_SOCKET);

    ADDRINFOA hints   = {};
    hints.ai_family   = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    ADDRINFOA* found  = NULL;
    REQUIRE(getaddrinfo("127.0.0.1", std::to_string(port).c_str(), &hints, &found) == 0);
    client one = {
        socket(found->ai_family, found->ai_socktype, found->ai_protocol)}; // ints: not the C library's `socket` all the same
    REQUIRE(connect(one.socket, found->ai_addr, (int)found->ai_addrlen) != SOCKET_ERROR);
    freeaddrinfo(found);

    SOCKET accepted = accept(listener, NULL, NULL);
    REQUIRE_FALSE(accepted == (SOCKET)SOCKET_ERROR);
    const char* text = "hello";
    CHECK(send(one.socket, text, (int)strlen(text), 0) == 5);
    CHECK(::send(one.socket, text, 5, 0) == 5);

    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(accepted, &readable);
    struct timeval limit = {5, 0};
    CHECK(select(0, &readable, NULL, NULL, &limit) == 1);
    CHECK(FD_ISSET(accepted, &readable));

    char room[16];
    CHECK(recv(accepted, room, sizeof(room), 0) >= 5);
    u_long on = 1;
    CHECK(ioctlsocket(accepted, FIONBIO, &on) == 0);
    DWORD also_on = 1;
    CHECK(ioctlsocket(accepted, FIONBIO, &also_on) == 0);
    SOCKADDR_IN peer;
    socklen_t size = sizeof(peer);
    CHECK(getpeername(accepted, (SOCKADDR*)&peer, &size) == 0);
    CHECK(peer.sin_family == AF_INET);

    CHECK(shutdown(one.socket, SD_BOTH) == 0);
    CHECK(closesocket(one.socket) == 0);
    CHECK(closesocket(accepted) == 0);
    CHECK(closesocket(listener) == 0);
    CHECK(closesocket(listener) == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSAENOTSOCK);
    CHECK(WSACleanup() == 0);
}

TEST_CASE("no call with an integer reaches the C library, and a SOCKET is the number of no descriptor", "[winsock]")
{
    int ends[2]; // of the system
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    use_segment(test::unique_name());
    WSADATA data;
    REQUIRE(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    char byte = 0;
    CHECK(send(ends[0], "x", 1, MSG_NOSIGNAL) == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSAENOTSOCK);
    CHECK(::recv(ends[1], &byte, 1, MSG_DONTWAIT) == SOCKET_ERROR);
    CHECK(listen(0, 0) == SOCKET_ERROR);
    CHECK(accept(0, 0, 0) == INVALID_SOCKET);
    CHECK(WSAGetLastError() == WSAENOTSOCK);

    const SOCKET s      = socket(AF_INET, SOCK_DGRAM, 0);
    const int in_an_int = (int)s;
    CHECK(in_an_int > 0);
    CHECK((SOCKET)in_an_int == s);
    CHECK(::close(in_an_int) == -1);
    CHECK(errno == EBADF);
    CHECK(closesocket((DWORD)s) == 0);
    ::close(ends[0]);
    ::close(ends[1]);
    CHECK(WSACleanup() == 0);
}

TEST_CASE("an in_addr has Windows' members and the system's", "[winsock]")
{
    IN_ADDR address;
    address.s_addr = inet_addr("1.2.3.4");
    CHECK(address.S_un.S_addr == address.s_addr);
    CHECK(address.S_un.S_un_b.s_b4 == 4);
    CHECK(sizeof(address) == 4);
    const LPIN_ADDR pointer = &address;
    CHECK(std::string(inet_ntoa(*pointer)) == "1.2.3.4");
}

TEST_CASE("fd_set has room for FD_SETSIZE sockets, and FD_SET is a type too", "[winsock]")
{
    FD_SET set;
    CHECK(sizeof(set.fd_array) == FD_SETSIZE * sizeof(SOCKET));
    CHECK(FD_SETSIZE == 1024);
    FD_ZERO(&set);
    struct timeval limit = {0, 0};
    CHECK(select(0, NULL, NULL, NULL, &limit) == SOCKET_ERROR); // not the C library's, which would sleep
}
