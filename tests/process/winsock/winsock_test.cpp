// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Winsock's calls in one process: their results and errors. Between processes: winsock_sharing_test.cpp.
#include "support/catch.hpp"
#include "support/skip.hpp"
#include "support/winsock_session.hpp"

#include <chrono>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

using namespace test;

TEST_CASE("every call before WSAStartup fails with WSANOTINITIALISED", "[winsock]")
{
    const auto s = static_cast<ws::SOCKET>(1);
    char byte    = 0;
    int size     = 1;
    u_long value = 0;
    ws::WSANETWORKEVENTS events{};
    ws::WSAPROTOCOL_INFO info{};
    sockaddr_in address = loopback(1);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const timeval now{};
    ws::socket_set set{1, {s}};
    ws::WSAEVENT event = reinterpret_cast<ws::WSAEVENT>(1);

    check_fails(ws::WSACleanup(), ws::WSANOTINITIALISED);
    CHECK(ws::socket(AF_INET, SOCK_STREAM, 0) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSANOTINITIALISED);
    CHECK(ws::WSASocket(AF_INET, SOCK_STREAM, 0, nullptr, 0, 0) == ws::INVALID_SOCKET);
    CHECK(ws::accept(s, nullptr, nullptr) == ws::INVALID_SOCKET);
    CHECK(ws::WSACreateEvent() == ws::WSA_INVALID_EVENT);
    CHECK(ws::WSASetEvent(event) == 0);
    CHECK(ws::WSAWaitForMultipleEvents(1, &event, 0, 0, 0) == ws::WSA_WAIT_FAILED);
    CHECK(ws::WSAGetLastError() == ws::WSANOTINITIALISED);
    check_fails(ws::closesocket(s), ws::WSANOTINITIALISED);
    check_fails(ws::bind(s, generic, sizeof address), ws::WSANOTINITIALISED);
    check_fails(ws::listen(s, 1), ws::WSANOTINITIALISED);
    check_fails(ws::connect(s, generic, sizeof address), ws::WSANOTINITIALISED);
    check_fails(ws::send(s, &byte, 1, 0), ws::WSANOTINITIALISED);
    check_fails(ws::recv(s, &byte, 1, 0), ws::WSANOTINITIALISED);
    check_fails(ws::sendto(s, &byte, 1, 0, generic, sizeof address), ws::WSANOTINITIALISED);
    check_fails(ws::recvfrom(s, &byte, 1, 0, nullptr, nullptr), ws::WSANOTINITIALISED);
    check_fails(ws::shutdown(s, ws::SD_BOTH), ws::WSANOTINITIALISED);
    check_fails(ws::getsockname(s, generic, &size), ws::WSANOTINITIALISED);
    check_fails(ws::getpeername(s, generic, &size), ws::WSANOTINITIALISED);
    check_fails(ws::getsockopt(s, SOL_SOCKET, SO_ERROR, &byte, &size), ws::WSANOTINITIALISED);
    check_fails(ws::setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &byte, 1), ws::WSANOTINITIALISED);
    check_fails(ws::ioctlsocket(s, FIONBIO, &value), ws::WSANOTINITIALISED);
    check_fails(ws::select(0, &set, nullptr, nullptr, &now), ws::WSANOTINITIALISED);
    check_fails(ws::WSAEventSelect(s, event, ws::FD_READ), ws::WSANOTINITIALISED);
    check_fails(ws::WSAEnumNetworkEvents(s, nullptr, &events), ws::WSANOTINITIALISED);
    check_fails(ws::WSAAsyncSelect(s, nullptr, 0, ws::FD_READ), ws::WSANOTINITIALISED);
    check_fails(ws::WSADuplicateSocket(s, 1, &info), ws::WSANOTINITIALISED);
}

TEST_CASE("WSAStartup counts, agrees on a version, and refuses what it cannot serve", "[winsock]")
{
    ws::WSADATA data{};
    CHECK(ws::WSAStartup(ws::MAKEWORD(2, 2), nullptr) == ws::WSAEFAULT);
    CHECK(ws::WSAStartup(ws::MAKEWORD(0, 9), &data) == ws::WSAVERNOTSUPPORTED);
    CHECK(ws::WSACleanup() == ws::SOCKET_ERROR); // neither has counted

    REQUIRE(ws::use_segment("not/a/name"));
    CHECK(ws::WSAStartup(ws::MAKEWORD(2, 2), &data) == ws::WSASYSNOTREADY);
    CHECK(ws::last_error_reason() == sharedsock::errc::bad_segment_name);

    const winsock_session session;
    CHECK(ws::WSAStartup(ws::MAKEWORD(1, 1), &data) == 0);
    CHECK(data.wVersion == ws::MAKEWORD(1, 1));
    CHECK(data.wHighVersion == ws::MAKEWORD(2, 2));
    CHECK(ws::WSAStartup(ws::MAKEWORD(3, 7), &data) == 0);
    CHECK(data.wVersion == ws::MAKEWORD(2, 2));
    CHECK(data.iMaxSockets == 256);
    CHECK_FALSE(ws::use_segment("another")); // a segment is in use

    CHECK(ws::WSACleanup() == 0);
    CHECK(ws::WSACleanup() == 0);
    CHECK(ws::closesocket(ws::socket(AF_INET, SOCK_STREAM, 0)) == 0); // two of three are gone
    CHECK(ws::WSACleanup() == 0);
    CHECK(ws::socket(AF_INET, SOCK_STREAM, 0) == ws::INVALID_SOCKET);
}

TEST_CASE("the last WSACleanup closes all sockets and leaves no segment behind", "[winsock]")
{
    ws::SOCKET s{};
    std::string name;
    {
        const winsock_session session;
        name = session.name();
        s    = listener();
        CHECK(sharedsock::segment::open(name));
    }
    {
        const winsock_session session; // another segment
        check_fails(ws::closesocket(s), ws::WSAENOTSOCK);
    }
    sharedsock::error_code ec;
    sharedsock::segment::open(name, {}, ec);
    CHECK(ec == sharedsock::errc::segment_not_found);
}

TEST_CASE("WSAGetLastError belongs to the thread, and a success does not clear it", "[winsock][STATE-10]")
{
    const winsock_session session;
    check_fails(ws::closesocket(ws::INVALID_SOCKET), ws::WSAENOTSOCK);
    CHECK(std::async(std::launch::async, [] { return ws::WSAGetLastError(); }).get() == 0);
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(ws::WSAGetLastError() == ws::WSAENOTSOCK);
    ws::WSASetLastError(ws::WSAEDISCON);
    CHECK(ws::WSAGetLastError() == ws::WSAEDISCON);
    CHECK(ws::closesocket(s) == 0);
}

TEST_CASE("a SOCKET that was closed is no socket, though its place has a new one", "[winsock][DUP-11]")
{
    const winsock_session session;
    const ws::SOCKET old = ws::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(ws::closesocket(old) == 0);
    const ws::SOCKET fresh = ws::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fresh != old);
    check_fails(ws::listen(old, 1), ws::WSAENOTSOCK);
    check_fails(ws::closesocket(old), ws::WSAENOTSOCK);
    CHECK(ws::library_socket(old) == nullptr);
    CHECK(ws::library_socket(fresh)->is_open());
}

TEST_CASE("Winsock calls with bad pointers and sizes fail before they do anything", "[winsock]")
{
    const winsock_session session;
    const ws::SOCKET s        = listener();
    const ws::SOCKET c        = ws::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(port_of(s));
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    char byte                 = 0;
    int size                  = 1;

    check_fails(ws::bind(c, nullptr, sizeof address), ws::WSAEFAULT);
    check_fails(ws::bind(c, generic, 15), ws::WSAEFAULT);
    check_fails(ws::bind(c, generic, 1000), ws::WSAEFAULT);
    check_fails(ws::connect(c, generic, -1), ws::WSAEFAULT);
    check_fails(ws::send(c, nullptr, 1, 0), ws::WSAEFAULT);
    check_fails(ws::send(c, &byte, -1, 0), ws::WSAEFAULT);
    check_fails(ws::recv(c, nullptr, 1, 0), ws::WSAEFAULT);
    check_fails(ws::getsockname(s, nullptr, &size), ws::WSAEFAULT);
    check_fails(ws::setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, nullptr, 4), ws::WSAEFAULT);
    check_fails(ws::getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &byte, nullptr), ws::WSAEFAULT);
    check_fails(ws::ioctlsocket(s, FIONBIO, static_cast<u_long*>(nullptr)), ws::WSAEFAULT);
    check_fails(ws::WSAEnumNetworkEvents(s, nullptr, nullptr), ws::WSAEFAULT);
    check_fails(ws::WSADuplicateSocket(s, 1, nullptr), ws::WSAEFAULT);

    // An accept whose address has no room takes no connection.
    REQUIRE(ws::connect(c, generic, sizeof address) == 0);
    sockaddr_in peer{};
    CHECK(ws::accept(s, reinterpret_cast<sockaddr*>(&peer), &size) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSAEFAULT);
    size = sizeof peer;
    CHECK(ws::accept(s, reinterpret_cast<sockaddr*>(&peer), &size) != ws::INVALID_SOCKET);
    CHECK(size == sizeof peer);
    CHECK(ntohs(peer.sin_port) == port_of(c));
}

TEST_CASE("the Winsock layer refuses calls that Linux allows and Winsock does not", "[winsock]")
{
    const winsock_session session;
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in own{};
    int size = sizeof own;
    check_fails(ws::listen(s, 1), ws::WSAEINVAL); // not bound
    check_fails(ws::getsockname(s, reinterpret_cast<sockaddr*>(&own), &size), ws::WSAEINVAL);
    check_fails(ws::getpeername(s, reinterpret_cast<sockaddr*>(&own), &size), ws::WSAENOTCONN);
    char byte = 0;
    check_fails(ws::send(s, "x", 1, 0), ws::WSAENOTCONN);
    check_fails(ws::recv(s, &byte, 1, 0), ws::WSAENOTCONN);
    check_fails(ws::connect(s, nullptr, 0), ws::WSAEFAULT);
    u_long value = 0;
    check_fails(ws::ioctlsocket(s, 0x12345, &value), ws::WSAEOPNOTSUPP);
    CHECK(ws::socket(AF_INET, SOCK_STREAM, IPPROTO_UDP) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSAEPROTONOSUPPORT);
}

TEST_CASE("a Winsock call that would block says so, and a blocking one waits as long as its timeout", "[winsock][STATE-3]")
{
    const winsock_session session;
    const connected_pair pair;
    char byte             = 0;
    const ws::DWORD limit = 50;
    REQUIRE(ws::setsockopt(pair.near, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<const char*>(&limit), sizeof limit) == 0);
    ws::DWORD read_back = 0;
    int size            = sizeof read_back;
    REQUIRE(ws::getsockopt(pair.near, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<char*>(&read_back), &size) == 0);
    CHECK(read_back == limit);
    CHECK(size == sizeof read_back);
    check_fails(ws::recv(pair.near, &byte, 1, 0), ws::WSAETIMEDOUT);

    u_long on = 1;
    REQUIRE(ws::ioctlsocket(pair.near, FIONBIO, &on) == 0);
    check_fails(ws::recv(pair.near, &byte, 1, 0), ws::WSAEWOULDBLOCK);
    const ws::SOCKET door = listener();
    REQUIRE(ws::ioctlsocket(door, FIONBIO, &on) == 0);
    CHECK(ws::accept(door, nullptr, nullptr) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSAEWOULDBLOCK);
}

TEST_CASE("closesocket and WSACleanup end another thread's blocking call", "[winsock][DUP-18]")
{
    const winsock_session session;
    const connected_pair first, second;
    const auto receive = [](ws::SOCKET s) {
        char byte = 0;
        return ws::recv(s, &byte, 1, 0) == ws::SOCKET_ERROR ? ws::WSAGetLastError() : 0;
    };
    auto one = std::async(std::launch::async, receive, first.near);
    auto two = std::async(std::launch::async, receive, second.near);
    std::this_thread::sleep_for(std::chrono::milliseconds(50)); // likely to be blocked by then; right either way
    CHECK(ws::closesocket(first.near) == 0);
    const int code = one.get();
    CHECK((code == ws::WSA_OPERATION_ABORTED || code == ws::WSAENOTSOCK));
    CHECK(ws::WSACleanup() == 0);
    const int other = two.get();
    INFO("the calls ended with " << code << " and " << other);
    // Not a socket any more: it had been looked up already, and had not begun to wait. 0: its peer, which WSACleanup closes as
    // well, was closed first, and it has read the end.
    CHECK((other == ws::WSA_OPERATION_ABORTED || other == ws::WSANOTINITIALISED || other == ws::WSAENOTSOCK || other == 0));
}

TEST_CASE("a datagram that is cut is WSAEMSGSIZE, and its beginning is there", "[winsock]")
{
    const winsock_session session;
    const ws::SOCKET receiver = bound_socket(SOCK_DGRAM);
    const ws::SOCKET sender   = bound_socket(SOCK_DGRAM);
    const sockaddr_in to      = loopback(port_of(receiver));
    const auto* const generic = reinterpret_cast<const sockaddr*>(&to);
    REQUIRE(ws::sendto(sender, "hello", 5, 0, generic, sizeof to) == 5);
    REQUIRE(ws::sendto(sender, "again", 5, 0, generic, sizeof to) == 5);

    u_long waiting = 0;
    CHECK(ws::ioctlsocket(receiver, FIONREAD, &waiting) == 0);
    CHECK(waiting == 5);
    char room[8]{};
    check_fails(ws::recv(receiver, room, 2, 0), ws::WSAEMSGSIZE);
    CHECK(std::string(room) == "he");
    sockaddr_in from{};
    int size = sizeof from;
    CHECK(ws::recvfrom(receiver, room, sizeof room, 0, reinterpret_cast<sockaddr*>(&from), &size) == 5);
    CHECK(ntohs(from.sin_port) == port_of(sender));
    CHECK(size == sizeof from);
}

TEST_CASE("WSASend sends several buffers as one message, and WSARecv fills several", "[winsock]")
{
    const winsock_session session;
    const connected_pair pair;
    char hel[] = "hel", lo[] = "lo";
    ws::WSABUF out[] = {{3, hel}, {2, lo}};
    ws::DWORD count = 0, flags = 0;
    REQUIRE(ws::WSASend(pair.near, out, 2, &count, 0, nullptr, nullptr) == 0);
    CHECK(count == 5);
    char a[2], b[8];
    ws::WSABUF in[] = {{sizeof a, a}, {sizeof b, b}};
    REQUIRE(ws::WSARecv(pair.far, in, 2, &count, &flags, nullptr, nullptr) == 0);
    CHECK(count == 5);
    CHECK(std::string(a, 2) + std::string(b, 3) == "hello");

    auto* const overlapped = reinterpret_cast<ws::LPWSAOVERLAPPED>(&count);
    check_fails(ws::WSASend(pair.near, out, 2, &count, 0, overlapped, nullptr), ws::WSAEOPNOTSUPP);
    check_fails(ws::WSARecv(pair.far, nullptr, 1, &count, &flags, nullptr, nullptr), ws::WSAEFAULT);
    check_fails(ws::WSARecv(pair.far, in, 0, &count, &flags, nullptr, nullptr), ws::WSAEINVAL);
}

TEST_CASE("socket options of the Winsock layer have Winsock's values", "[winsock][STATE-2]")
{
    const winsock_session session;
    const ws::SOCKET s = ws::socket(AF_INET, SOCK_STREAM, 0);
    const auto get     = [&](int name) {
        int value = -1, size = sizeof value;
        CHECK(ws::getsockopt(s, SOL_SOCKET, name, reinterpret_cast<char*>(&value), &size) == 0);
        return value;
    };
    const char on = 1; // a single byte, as many programs have it
    CHECK(ws::setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
    CHECK(get(SO_KEEPALIVE) == 1);
    CHECK(get(SO_TYPE) == SOCK_STREAM);
    const linger closing{1, 5};
    CHECK(ws::setsockopt(s, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&closing), sizeof closing) == 0);
    CHECK(get(ws::SO_DONTLINGER) == 0);
    CHECK(ws::setsockopt(s, SOL_SOCKET, ws::SO_DONTLINGER, &on, sizeof on) == 0);
    CHECK(get(ws::SO_DONTLINGER) == 1);

    // An attempt that fails leaves its error in SO_ERROR, in Winsock's words.
    const ws::SOCKET nobody   = bound_socket();
    const unsigned short port = port_of(nobody);
    ws::closesocket(nobody);
    u_long non_blocking = 1;
    ws::ioctlsocket(s, FIONBIO, &non_blocking);
    check_fails(connect_to(s, port), ws::WSAEWOULDBLOCK);
    ws::socket_set failed{1, {s}};
    const timeval limit{20, 0};
    CHECK(ws::select(0, nullptr, nullptr, &failed, &limit) == 1);
    CHECK(get(SO_ERROR) == ws::WSAECONNREFUSED);
    CHECK(get(SO_ERROR) == 0);

    const ws::SOCKET six = ws::socket(AF_INET6, SOCK_STREAM, 0);
    if (six != ws::INVALID_SOCKET) {
        int only = 0, size = sizeof only;
        CHECK(ws::getsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<char*>(&only), &size) == 0);
        CHECK(only == 1);
    } else {
        test::skip("there is no IPv6 here, so IPV6_V6ONLY is not tested");
    }
}

TEST_CASE("Winsock's select tells which SOCKETs are ready for what", "[winsock]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::SOCKET door = listener();
    const timeval now{0, 0};
    const auto set_of = [](std::vector<ws::SOCKET> members) {
        ws::socket_set set{};
        for (const ws::SOCKET s : members)
            ws::set_insert(s, set);
        return set;
    };

    auto readable = set_of({pair.near, door});
    CHECK(ws::select(0, &readable, nullptr, nullptr, &now) == 0);
    CHECK(readable.fd_count == 0);
    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    readable      = set_of({pair.near, door});
    auto writable = set_of({pair.near, pair.far});
    auto failed   = set_of({pair.near});
    CHECK(ws::select(0, &readable, &writable, &failed, nullptr) == 3);
    CHECK(ws::set_contains(pair.near, readable));
    CHECK(writable.fd_count == 2);
    CHECK(failed.fd_count == 0);

    REQUIRE(ws::send(pair.far, "!", 1, MSG_OOB) == 1);
    failed = set_of({pair.near});
    const timeval limit{20, 0};
    CHECK(ws::select(0, nullptr, nullptr, &failed, &limit) == 1);

    auto unknown = set_of({ws::INVALID_SOCKET});
    check_fails(ws::select(0, &unknown, nullptr, nullptr, &now), ws::WSAENOTSOCK);
    check_fails(ws::select(0, nullptr, nullptr, nullptr, &now), ws::WSAEINVAL);
}

TEST_CASE("SIOCATMARK is true unless urgent data is further on", "[winsock]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::BOOL inline_on = 1;
    REQUIRE(ws::setsockopt(pair.near, SOL_SOCKET, SO_OOBINLINE, reinterpret_cast<const char*>(&inline_on), sizeof inline_on) == 0);
    const auto at_mark = [&] {
        u_long answer = 7;
        CHECK(ws::ioctlsocket(pair.near, SIOCATMARK, &answer) == 0);
        return answer;
    };
    CHECK(at_mark() == 1);
    REQUIRE(ws::send(pair.far, "ab", 2, 0) == 2);
    REQUIRE(ws::send(pair.far, "!", 1, MSG_OOB) == 1);
    pollfd urgent{ws::library_socket(pair.near)->native_handle(), POLLPRI, 0}; // in line it is no exception for `select`
    REQUIRE(::poll(&urgent, 1, static_cast<int>(patience_ms)) == 1);
    CHECK(at_mark() == 0);
    char room[8];
    CHECK(ws::recv(pair.near, room, sizeof room, 0) == 2); // ends before the mark
    CHECK(at_mark() == 1);
}
