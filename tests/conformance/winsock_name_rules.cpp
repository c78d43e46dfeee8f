// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSK-1, WSK-12 and WSK-13: the numbers of SOCKETs, calls that are made of others, and names of hosts.
#include "support/catch.hpp"
#include "support/winsock_session.hpp"

#include <cerrno>
#include <chrono>
#include <future>
#include <set>
#include <string>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace test;

namespace {

int reject(ws::LPWSABUF caller, ws::LPWSABUF, void*, void*, ws::LPWSABUF own, ws::LPWSABUF, unsigned int*, ws::UINT_PTR data)
{
    CHECK(caller->len == sizeof(sockaddr_in));
    CHECK(own->len == sizeof(sockaddr_in));
    return data == 7 ? ws::CF_REJECT : ws::CF_ACCEPT;
}

std::string text_of(const sockaddr* address, ws::DWORD size)
{
    char text[64];
    ws::DWORD room = sizeof text;
    return ws::WSAAddressToStringA(address, size, nullptr, text, &room) == 0 && room == std::string(text).size() + 1 ? text : "";
}

} // namespace

TEST_CASE("a SOCKET fits into an int, is the number of no descriptor, and is not used again at once", "[WSK-1]")
{
    const winsock_session session;
    std::set<ws::SOCKET> used;
    for (int i = 0; i < 300; ++i) {
        const ws::SOCKET s = ws::socket(AF_INET, SOCK_DGRAM, 0);
        REQUIRE(s <= 0x7fff'ffff);
        CHECK(used.insert(s).second);
        CHECK(::close(static_cast<int>(s)) == -1);
        CHECK(errno == EBADF);
        CHECK(ws::closesocket(s) == 0);
    }
    check_fails(ws::closesocket(*used.begin()), ws::WSAENOTSOCK);
}

TEST_CASE("WSAPoll tells what is ready, passes INVALID_SOCKET over, and marks what is no SOCKET", "[WSK-12]")
{
    const winsock_session session;
    const connected_pair pair;
    ws::WSAPOLLFD entries[] = {{pair.near, POLLIN, 0}, {ws::INVALID_SOCKET, POLLIN, 7}};
    CHECK(ws::WSAPoll(entries, 2, 0) == 0);
    CHECK(entries[1].revents == 0);
    CHECK(ws::WSAPoll(entries, 2, 20) == 0); // waits in vain
    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    CHECK(ws::WSAPoll(entries, 2, -1) == 1);
    CHECK(entries[0].revents == POLLIN);
    entries[1].fd = 12345;
    CHECK(ws::WSAPoll(entries, 2, -1) == 2);
    CHECK(entries[1].revents == POLLNVAL);
    check_fails(ws::WSAPoll(entries, 0, 0), ws::WSAEINVAL);
    check_fails(ws::WSAPoll(nullptr, 1, 0), ws::WSAEFAULT);
}

TEST_CASE("closesocket ends a WSAPoll that waits for the SOCKET, which is none any more", "[WSK-12]")
{
    const winsock_session session;
    const connected_pair pair;
    auto other = std::async(std::launch::async, [&] {
        ws::WSAPOLLFD entry{pair.near, POLLIN, 0};
        return ws::WSAPoll(&entry, 1, -1) == 1 ? entry.revents : short{0};
    });
    REQUIRE(other.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout); // likely to wait by then
    REQUIRE(ws::closesocket(pair.near) == 0);
    CHECK(other.get() == POLLNVAL);
}

TEST_CASE("WSAAccept resets a connection that its condition function rejects", "[WSK-12]")
{
    const winsock_session session;
    const ws::SOCKET door = listener();
    const ws::SOCKET one  = ws::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect_to(one, port_of(door)) == 0);
    CHECK(ws::WSAAccept(door, nullptr, nullptr, reject, 7) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSAECONNREFUSED);
    char byte = 0;
    check_fails(ws::recv(one, &byte, 1, 0), ws::WSAECONNRESET);

    const ws::SOCKET two = ws::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in to = loopback(port_of(door));
    REQUIRE(ws::WSAConnect(two, reinterpret_cast<const sockaddr*>(&to), sizeof to, nullptr, nullptr, nullptr, nullptr) == 0);
    sockaddr_in peer{};
    int size = sizeof peer;
    CHECK(ws::WSAAccept(door, reinterpret_cast<sockaddr*>(&peer), &size, reject, 0) != ws::INVALID_SOCKET);
    CHECK(ntohs(peer.sin_port) == port_of(two));
}

TEST_CASE("WSASendTo and WSARecvFrom carry one datagram in pieces, with its sender", "[WSK-12]")
{
    const winsock_session session;
    const ws::SOCKET receiver = bound_socket(SOCK_DGRAM);
    const ws::SOCKET sender   = bound_socket(SOCK_DGRAM);
    const sockaddr_in to      = loopback(port_of(receiver));
    char hel[] = "hel", lo[] = "lo", room[8]{};
    ws::WSABUF out[] = {{3, hel}, {2, lo}}, in[] = {{2, room}, {6, room + 2}};
    ws::DWORD count = 0, flags = 0;
    REQUIRE(ws::WSASendTo(sender, out, 2, &count, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to, nullptr, nullptr) == 0);
    CHECK(count == 5);
    sockaddr_in from{};
    int size = sizeof from;
    REQUIRE(ws::WSARecvFrom(receiver, in, 2, &count, &flags, reinterpret_cast<sockaddr*>(&from), &size, nullptr, nullptr) == 0);
    CHECK(count == 5);
    CHECK(std::string(room) == "hello");
    CHECK(ntohs(from.sin_port) == port_of(sender));
}

TEST_CASE("WSAIoctl sets the mode, counts what waits, and sets the times of keep-alive", "[WSK-12]")
{
    const winsock_session session;
    const connected_pair pair;
    ws::DWORD on = 1, waiting = 7, returned = 7;
    CHECK(ws::WSAIoctl(pair.near, FIONBIO, &on, sizeof on, nullptr, 0, &returned, nullptr, nullptr) == 0);
    CHECK(returned == 0);
    CHECK(ws::WSAIoctl(pair.near, FIONREAD, nullptr, 0, &waiting, sizeof waiting, &returned, nullptr, nullptr) == 0);
    CHECK(returned == sizeof waiting);
    CHECK(waiting == 0);
    ws::tcp_keepalive times{1, 5'000, 1'500};
    CHECK(ws::WSAIoctl(pair.near, ws::SIO_KEEPALIVE_VALS, &times, sizeof times, nullptr, 0, &returned, nullptr, nullptr) == 0);
    int seconds = 0, size = sizeof seconds;
    CHECK(ws::getsockopt(pair.near, IPPROTO_TCP, TCP_KEEPINTVL, reinterpret_cast<char*>(&seconds), &size) == 0);
    CHECK(seconds == 2);
    check_fails(ws::WSAIoctl(pair.near, 0x1234, &on, sizeof on, &on, sizeof on, &returned, nullptr, nullptr), ws::WSAEOPNOTSUPP);
}

TEST_CASE("addresses become text and come back, with and without a port", "[WSK-12]")
{
    for (const char* const text : {"127.0.0.1:80", "10.1.2.3", "[::1]:443", "fe80::1%3", "[fe80::1%3]:1"}) {
        INFO(text);
        const int family = std::string(text).find('.') != std::string::npos ? AF_INET : AF_INET6;
        sockaddr_storage address{};
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        int size            = sizeof address;
        REQUIRE(ws::WSAStringToAddressA(text, family, nullptr, generic, &size) == 0);
        CHECK(text_of(generic, static_cast<ws::DWORD>(size)) == text);
    }
    sockaddr_in6 six{};
    six.sin6_family     = AF_INET6;
    six.sin6_port       = htons(9);
    auto* const generic = reinterpret_cast<sockaddr*>(&six);
    int size            = sizeof six;
    for (const char* const wrong : {"", "1.2.3", "1.2.3.4:", "1.2.3.4:99999", "1.2.3.4:8x"})
        check_fails(ws::WSAStringToAddressA(wrong, AF_INET, nullptr, generic, &size), ws::WSAEINVAL);
    char small[4];
    ws::DWORD room = sizeof small;
    check_fails(ws::WSAAddressToStringA(generic, sizeof six, nullptr, small, &room), ws::WSAEFAULT);
    ws::INETADDR_SETLOOPBACK(generic);
    CHECK(ws::INETADDR_ISLOOPBACK(generic));
    CHECK(text_of(generic, sizeof six) == "[::1]:9");
    ws::INETADDR_SETANY(generic);
    CHECK(ws::INETADDR_ISANY(generic));
    CHECK(ws::INETADDR_PORT(generic) == htons(9));
}

TEST_CASE("names that are not known, and arguments that fit nothing, fail with Winsock's codes", "[WSK-13]")
{
    addrinfo hints{};
    addrinfo* found = nullptr;
    CHECK(ws::getaddrinfo("127.0.0.1", "80", nullptr, &found) == ws::WSANOTINITIALISED);
    const winsock_session session;
    REQUIRE(ws::getaddrinfo("127.0.0.1", "80", nullptr, &found) == 0);
    char node[64], service[16];
    CHECK(ws::getnameinfo(found->ai_addr, found->ai_addrlen, node, sizeof node, service, sizeof service,
                          NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    CHECK(std::string(node) + ":" + service == "127.0.0.1:80");
    CHECK(ws::getnameinfo(found->ai_addr, found->ai_addrlen, node, 2, nullptr, 0, NI_NUMERICHOST) == ws::WSAEFAULT);
    ::freeaddrinfo(found);

    hints.ai_flags = AI_NUMERICHOST;
    CHECK(ws::getaddrinfo("no number", nullptr, &hints, &found) == ws::WSAHOST_NOT_FOUND);
    CHECK(ws::WSAGetLastError() == ws::WSAHOST_NOT_FOUND);
    CHECK(std::string(ws::gai_strerror(ws::WSAHOST_NOT_FOUND)) == ::gai_strerror(EAI_NONAME));
    hints.ai_family = 222;
    CHECK(ws::getaddrinfo("1.2.3.4", nullptr, &hints, &found) == ws::WSAEAFNOSUPPORT);
    const hostent* const host = ws::gethostbyname("1.2.3.4");
    REQUIRE(host != nullptr);
    CHECK(host->h_length == 4);
}

TEST_CASE("WSAConnectByName connects to a host's service and tells both addresses", "[WSK-12]")
{
    const winsock_session session;
    const ws::SOCKET door  = listener();
    const std::string port = std::to_string(port_of(door));
    const ws::SOCKET s     = ws::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in own{}, peer{};
    ws::DWORD own_size = sizeof own, peer_size = sizeof peer;
    const timeval limit{20, 0};
    CHECK(ws::WSAConnectByNameA(s, "127.0.0.1", port.c_str(), &own_size, reinterpret_cast<sockaddr*>(&own), &peer_size,
                                reinterpret_cast<sockaddr*>(&peer), &limit, nullptr) == 1);
    CHECK(ntohs(own.sin_port) == port_of(s));
    CHECK(std::to_string(ntohs(peer.sin_port)) == port);
    ws::DWORD after = 7;
    int size        = sizeof after;
    CHECK(ws::getsockopt(s, SOL_SOCKET, SO_SNDTIMEO, reinterpret_cast<char*>(&after), &size) == 0);
    CHECK(after == 0);

    REQUIRE(ws::closesocket(door) == 0);
    const ws::SOCKET second = ws::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(ws::WSAConnectByNameA(second, "127.0.0.1", port.c_str(), nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) == 0);
    CHECK(ws::WSAGetLastError() == ws::WSAECONNREFUSED);
}

TEST_CASE("WSAEnumProtocols lists TCP and UDP of both families, and says how much room it needs", "[WSK-12]")
{
    const winsock_session session;
    ws::WSAPROTOCOL_INFO all[4];
    ws::DWORD size = 0;
    check_fails(ws::WSAEnumProtocolsA(nullptr, nullptr, &size), ws::WSAENOBUFS);
    CHECK(size == sizeof all);
    CHECK(ws::WSAEnumProtocolsA(nullptr, all, &size) == 4);
    int udp[] = {IPPROTO_UDP, 0};
    CHECK(ws::WSAEnumProtocolsA(udp, all, &size) == 2);
    CHECK(all[1].iAddressFamily == AF_INET6);
    CHECK(all[1].iSocketType == SOCK_DGRAM);
    CHECK(ws::closesocket(ws::WSASocket(ws::FROM_PROTOCOL_INFO, ws::FROM_PROTOCOL_INFO, ws::FROM_PROTOCOL_INFO, all, 0, 0)) == 0);
}
