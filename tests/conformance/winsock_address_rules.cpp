// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSK: ports that are used again, and options that read back as they were set.
#include "support/catch.hpp"
#include "support/winsock_session.hpp"

#include <string>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace test;

namespace {

int bind_to(ws::SOCKET s, unsigned short port)
{
    const sockaddr_in address = loopback(port);
    return ws::bind(s, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int set_number(ws::SOCKET s, int option, int value)
{
    return ws::setsockopt(s, SOL_SOCKET, option, reinterpret_cast<const char*>(&value), sizeof value);
}

int get_number(ws::SOCKET s, int option)
{
    int value = -1, size = sizeof value;
    CHECK(ws::getsockopt(s, SOL_SOCKET, option, reinterpret_cast<char*>(&value), &size) == 0);
    CHECK(size == sizeof value);
    return value;
}

// A port whose server has closed a connection first: the kernel keeps the connection's rest for a minute.
unsigned short port_of_a_server_that_closed_first(bool exclusive)
{
    const ws::SOCKET door = ws::socket(AF_INET, SOCK_STREAM, 0);
    if (exclusive) REQUIRE(set_number(door, ws::SO_EXCLUSIVEADDRUSE, 1) == 0);
    REQUIRE(bind_to(door, 0) == 0);
    REQUIRE(ws::listen(door, 5) == 0);
    const unsigned short port = port_of(door);
    const ws::SOCKET client   = ws::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect_to(client, port) == 0);
    const ws::SOCKET served = ws::accept(door, nullptr, nullptr);
    REQUIRE(ws::closesocket(served) == 0);
    REQUIRE(ws::closesocket(door) == 0);
    char byte = 0;
    REQUIRE(ws::recv(client, &byte, 1, 0) == 0);
    REQUIRE(ws::closesocket(client) == 0);
    return port;
}

} // namespace

TEST_CASE("a server binds the port again from which its former self closed connections first", "[WSK-2]")
{
    const winsock_session session;
    for (const bool exclusive : {false, true}) {
        const unsigned short port = port_of_a_server_that_closed_first(exclusive);
        for (const int option : {0, SO_REUSEADDR, ws::SO_EXCLUSIVEADDRUSE}) {
            INFO("exclusive before: " << exclusive << ", option now: " << option);
            const ws::SOCKET again = ws::socket(AF_INET, SOCK_STREAM, 0);
            if (option != 0) REQUIRE(set_number(again, option, 1) == 0);
            CHECK(bind_to(again, port) == 0);
            CHECK(ws::listen(again, 5) == 0);
            CHECK(ws::closesocket(again) == 0);
        }
    }
}

TEST_CASE("a server binds its port again while a connection that it has accepted lives", "[WSK-2]")
{
    const winsock_session session;
    const connected_pair pair; // its listener is closed
    const ws::SOCKET again = ws::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind_to(again, port_of(pair.far)) == 0);
    CHECK(ws::listen(again, 5) == 0);
    CHECK(ws::send(pair.far, "x", 1, 0) == 1);
}

TEST_CASE("a second stream socket on a port is refused, whether or not the first one listens yet", "[WSK-3]")
{
    const winsock_session session;
    const ws::SOCKET first = bound_socket();
    for (const bool listening : {false, true}) {
        INFO("listening: " << listening);
        if (listening) REQUIRE(ws::listen(first, 5) == 0);
        const ws::SOCKET plain = ws::socket(AF_INET, SOCK_STREAM, 0);
        check_fails(bind_to(plain, port_of(first)), ws::WSAEADDRINUSE);
        const ws::SOCKET alone = ws::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(set_number(alone, ws::SO_EXCLUSIVEADDRUSE, 1) == 0);
        check_fails(bind_to(alone, port_of(first)), ws::WSAEADDRINUSE);
        const ws::SOCKET intruder = ws::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(set_number(intruder, SO_REUSEADDR, 1) == 0);
        check_fails(bind_to(intruder, port_of(first)), ws::WSAEACCES);
    }
}

TEST_CASE("a datagram port is shared with those who ask, unless its first socket is exclusive", "[WSK-3]")
{
    const winsock_session session;
    const ws::SOCKET first = bound_socket(SOCK_DGRAM);
    const ws::SOCKET plain = ws::socket(AF_INET, SOCK_DGRAM, 0);
    check_fails(bind_to(plain, port_of(first)), ws::WSAEADDRINUSE);
    const ws::SOCKET second = ws::socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(set_number(second, SO_REUSEADDR, 1) == 0);
    CHECK(bind_to(second, port_of(first)) == 0);

    const ws::SOCKET alone = ws::socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(set_number(alone, ws::SO_EXCLUSIVEADDRUSE, 1) == 0);
    REQUIRE(bind_to(alone, 0) == 0);
    const ws::SOCKET intruder = ws::socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(set_number(intruder, SO_REUSEADDR, 1) == 0);
    check_fails(bind_to(intruder, port_of(alone)), ws::WSAEACCES);
}

TEST_CASE("SO_REUSEADDR and SO_EXCLUSIVEADDRUSE are off at first, exclude each other, and read back as the program set them",
          "[WSK-3]")
{
    const winsock_session session;
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(get_number(s, SO_REUSEADDR) == 0);
    CHECK(get_number(s, ws::SO_EXCLUSIVEADDRUSE) == 0);
    CHECK(set_number(s, SO_REUSEADDR, 1) == 0);
    check_fails(set_number(s, ws::SO_EXCLUSIVEADDRUSE, 1), ws::WSAEINVAL);
    CHECK(set_number(s, SO_REUSEADDR, 0) == 0);
    CHECK(set_number(s, ws::SO_EXCLUSIVEADDRUSE, 1) == 0);
    check_fails(set_number(s, SO_REUSEADDR, 1), ws::WSAEINVAL);
    CHECK(get_number(s, ws::SO_EXCLUSIVEADDRUSE) == 1);
    CHECK(set_number(s, ws::SO_EXCLUSIVEADDRUSE, 0) == 0);
    REQUIRE(bind_to(s, 0) == 0);
    REQUIRE(ws::listen(s, 5) == 0);
    CHECK(get_number(s, SO_REUSEADDR) == 0); // the kernel's is on
    check_fails(set_number(s, ws::SO_EXCLUSIVEADDRUSE, 1), ws::WSAEINVAL);
}

TEST_CASE("timeouts and sizes of buffers read back as they were set, through every handle", "[WSK-4]")
{
    const winsock_session session;
    const ws::SOCKET s = bound_socket();
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVBUF, SO_SNDBUF}) {
        INFO("option " << option);
        CHECK(get_number(s, option) >= 0); // the kernel's choice
        for (const int value : {8'192, 1'234, 5'001}) {
            CHECK(set_number(s, option, value) == 0);
            CHECK(get_number(s, option) == value);
        }
    }
    ws::WSAPROTOCOL_INFO info{};
    REQUIRE(ws::WSADuplicateSocket(s, static_cast<ws::DWORD>(::getpid()), &info) == 0);
    const ws::SOCKET other =
        ws::WSASocket(ws::FROM_PROTOCOL_INFO, ws::FROM_PROTOCOL_INFO, ws::FROM_PROTOCOL_INFO, &info, 0, ws::WSA_FLAG_OVERLAPPED);
    CHECK(get_number(other, SO_RCVTIMEO) == 5'001);
    CHECK(get_number(other, SO_SNDBUF) == 5'001);

    // An accepted socket has them from its listener; a size that a native program sets is the kernel's.
    REQUIRE(ws::listen(s, 5) == 0);
    const ws::SOCKET client = ws::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect_to(client, port_of(s)) == 0);
    const ws::SOCKET served = ws::accept(s, nullptr, nullptr);
    CHECK(get_number(served, SO_RCVTIMEO) == 5'001);
    const int native = 20'000;
    sharedsock::error_code ec;
    ws::library_socket(served)->set_option(SOL_SOCKET, SO_SNDBUF, &native, sizeof native, ec);
    CHECK_FALSE(ec);
    CHECK(get_number(served, SO_SNDBUF) == 2 * native);
}

TEST_CASE("a receive, an accept and a send that outlast their timeout are WSAETIMEDOUT", "[WSK-4]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::SOCKET door = listener();
    REQUIRE(set_number(pair.near, SO_RCVTIMEO, 20) == 0);
    REQUIRE(set_number(pair.near, SO_SNDTIMEO, 20) == 0);
    REQUIRE(set_number(door, SO_RCVTIMEO, 20) == 0);
    char byte = 0;
    check_fails(ws::recv(pair.near, &byte, 1, 0), ws::WSAETIMEDOUT);
    CHECK(ws::accept(door, nullptr, nullptr) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSAETIMEDOUT);
    const std::string much(1 << 20, 'x');
    while (ws::send(pair.near, much.data(), static_cast<int>(much.size()), 0) > 0) {
    }
    CHECK(ws::WSAGetLastError() == ws::WSAETIMEDOUT);
}
