// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/socket_address.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using sharedsock::socket_address;

namespace {

// The kernel's form of an address: binds a new socket to it and asks back.
socket_address bound_to(const socket_address& wanted)
{
    const int fd = ::socket(wanted.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    REQUIRE(::bind(fd, wanted.data(), wanted.size()) == 0);
    socket_address actual;
    socklen_t size = socket_address::capacity();
    REQUIRE(::getsockname(fd, actual.data(), &size) == 0);
    actual.resize(size);
    ::close(fd);
    return actual;
}

} // namespace

TEST_CASE("a default-made address is none")
{
    const socket_address none;
    CHECK(none.size() == 0);
    CHECK(none.family() == AF_UNSPEC);
    CHECK(none.port() == 0);
    CHECK(to_string(none) == "unnamed");
    CHECK(none == socket_address(nullptr, 0));
}

TEST_CASE("the loopback addresses have a port and a text")
{
    CHECK(socket_address::loopback(80).family() == AF_INET);
    CHECK(socket_address::loopback(80).port() == 80);
    CHECK(to_string(socket_address::loopback(65535)) == "127.0.0.1:65535");
    CHECK(socket_address::loopback_v6(80).family() == AF_INET6);
    CHECK(socket_address::loopback_v6(0x1234).port() == 0x1234);
    CHECK(to_string(socket_address::loopback_v6(80)) == "[::1]:80");
    CHECK(socket_address::loopback(80) != socket_address::loopback(81));
}

TEST_CASE("the kernel takes a loopback address and returns the port it chose")
{
    const socket_address chosen = bound_to(socket_address::loopback(0));
    CHECK(chosen.port() != 0);
    CHECK(chosen == socket_address::loopback(chosen.port()));
}

TEST_CASE("the scope of an IPv6 address is part of its text")
{
    sockaddr_in6 link{};
    link.sin6_family           = AF_INET6;
    link.sin6_port             = htons(80);
    link.sin6_addr.s6_addr[0]  = 0xfe;
    link.sin6_addr.s6_addr[1]  = 0x80;
    link.sin6_addr.s6_addr[15] = 1;
    link.sin6_scope_id         = 2;
    CHECK(to_string(socket_address(reinterpret_cast<const sockaddr*>(&link), sizeof link)) == "[fe80::1%2]:80");
}

TEST_CASE("a path name is the address that the kernel returns for it")
{
    const test::scratch_directory scratch;
    const std::string path       = scratch.path() / "box";
    const socket_address address = socket_address::local(path);
    CHECK(address.family() == AF_UNIX);
    CHECK(address.port() == 0);
    CHECK(to_string(address) == path);
    CHECK(bound_to(address) == address);
}

TEST_CASE("an abstract name and no name have texts of their own")
{
    const std::string name       = test::unique_name();
    const socket_address address = socket_address::local(std::string(1, '\0') + name);
    CHECK(to_string(address) == "@" + name);
    CHECK(bound_to(address) == address);

    sockaddr_un unnamed{};
    unnamed.sun_family = AF_UNIX;
    CHECK(to_string(socket_address(reinterpret_cast<const sockaddr*>(&unnamed), sizeof unnamed.sun_family)) == "unnamed");
    CHECK(to_string(socket_address::local("")) == "unnamed");
}

TEST_CASE("a path name that fills the address needs no final zero to be read")
{
    sockaddr_un full{};
    full.sun_family = AF_UNIX;
    std::fill(std::begin(full.sun_path), std::end(full.sun_path), 'x');
    CHECK(to_string(socket_address(reinterpret_cast<const sockaddr*>(&full), sizeof full)) == std::string(108, 'x'));
}

TEST_CASE("an impossible path name is refused")
{
    CHECK_NOTHROW(socket_address::local(std::string(107, 'x')));
    CHECK_THROWS_AS(socket_address::local(std::string(108, 'x')), std::length_error);
    CHECK_THROWS_AS(socket_address::local(std::string("a\0b", 3)), std::invalid_argument);
}

TEST_CASE("an address that is too short or unknown is not read beyond its end")
{
    socket_address address = socket_address::loopback(80);
    address.resize(4);
    CHECK(address.port() == 0);
    CHECK(to_string(address) == "family 2");

    const sockaddr netlink{AF_NETLINK, {}};
    CHECK(to_string(socket_address(&netlink, sizeof netlink)) == "family 16");
    const sockaddr_storage large{};
    CHECK_THROWS_AS(socket_address(reinterpret_cast<const sockaddr*>(&large), sizeof large + 1), std::length_error);
}

TEST_CASE("an address goes to Asio's endpoints and back")
{
    const tcp::endpoint v4(boost::asio::ip::address_v4::loopback(), 80);
    CHECK(socket_address(v4) == socket_address::loopback(80));
    CHECK(socket_address::loopback(80).as<tcp::endpoint>() == v4);

    const udp::endpoint v6(boost::asio::ip::address_v6::loopback(), 53);
    CHECK(socket_address(v6) == socket_address::loopback_v6(53));
    CHECK(socket_address::loopback_v6(53).as<udp::endpoint>() == v6);

    const boost::asio::local::stream_protocol::endpoint local("/tmp/box");
    CHECK(to_string(socket_address(local)) == "/tmp/box");
    CHECK(socket_address(local).as<boost::asio::local::stream_protocol::endpoint>() == local);
    CHECK(socket_address::local("/tmp/box").as<boost::asio::local::stream_protocol::endpoint>() == local);
    const std::string abstract("\0name", 5);
    CHECK(socket_address::local(abstract).as<boost::asio::local::stream_protocol::endpoint>().path() == abstract);
}
