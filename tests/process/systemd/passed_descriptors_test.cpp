// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/systemd/service_manager.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"
#include "support/skip.hpp"

#include <sharedsock/systemd.hpp>

#include <cstdint>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ss = sharedsock;
using ss::systemd::passed_descriptor;

namespace {

struct listener {
    listener()
    {
        socklen_t size = sizeof address;
        REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(socket.get(), 8) == 0);
        REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    }

    std::uint16_t port() const { return ntohs(address.sin_port); }

    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    test::held_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

} // namespace

TEST_CASE("a service gets what its manager passed once, in its order, close-on-exec, and the environment is clean", "[systemd]")
{
    test::service_manager manager;
    listener web;
    listener dns;
    test::child_process service = manager.start({{"web", web.socket.get()}, {"dns", dns.socket.get()}});
    CHECK(service.ask("receive") == "web dns");
    CHECK(service.ask("variables").empty());
    CHECK(service.ask("receive").empty());
}

TEST_CASE("a malformed variable, or one that counts a closed descriptor, is an error and changes nothing", "[systemd]")
{
    test::service_manager manager;
    listener web;
    test::child_process service = manager.start({{"web", web.socket.get()}});
    CHECK(service.ask("set LISTEN_FDS=x") == "ok");
    CHECK_THAT(service.ask("receive"), test::contains("bad_manager_variable"));
    CHECK(service.ask("set LISTEN_FDS=60") == "ok");
    CHECK_THAT(service.ask("receive"), test::contains("bad_manager_variable"));
    CHECK(service.ask("set LISTEN_FDS=1") == "ok");
    CHECK(service.ask("receive") == "web");
}

TEST_CASE("a passed listener becomes a shared socket and accepts", "[systemd]")
{
    test::service_manager manager;
    test::scratch_segment segment;
    listener web;
    test::child_process service = manager.start({{"web", web.socket.get()}});
    CHECK(service.ask("receive") == "web");
    test::plain_socket client = test::plain_socket::connect(web.port());
    CHECK(service.ask("adopt_and_serve " + segment.name()) == "ok");
    CHECK(client.receive(5) == "hello");
}

TEST_CASE("a passed socket is told by its type and by the address that it is bound to", "[systemd]")
{
    listener web;
    const passed_descriptor one("web", ::fcntl(web.socket.get(), F_DUPFD_CLOEXEC, 3));
    CHECK(one.is_socket(SOCK_STREAM, ss::socket_address::loopback(web.port())));
    CHECK(one.is_socket(SOCK_STREAM, ss::socket_address::loopback(0)));
    CHECK(!one.is_socket(SOCK_DGRAM, ss::socket_address::loopback(web.port())));
    CHECK(!one.is_socket(SOCK_STREAM, ss::socket_address::loopback(static_cast<std::uint16_t>(web.port() ^ 1))));
    CHECK(!one.is_socket(SOCK_STREAM, ss::socket_address::loopback_v6(0)));
    const passed_descriptor file("file", ::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(!file.is_socket(SOCK_STREAM, ss::socket_address::loopback(0)));
    CHECK(!passed_descriptor().is_socket(SOCK_STREAM, ss::socket_address::loopback(0)));
}

// The program of systemd itself in the place of the test. It waits for the first connection, then executes the service.
TEST_CASE("a service that systemd-socket-activate starts gets its listener by name", "[systemd]")
{
    if (::access("/usr/bin/systemd-socket-activate", X_OK) != 0) {
        test::skip("there is no systemd-socket-activate (package systemd)");
        return;
    }
    const test::scratch_directory directory;
    const std::string path = directory.path() / "listener";
    test::child_process starter("start of a service by systemd", {path});
    const auto connected = [&] {
        const test::held_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const ss::socket_address address = ss::socket_address::local(path);
        return ::connect(client.get(), address.data(), address.size()) == 0;
    };
    REQUIRE(test::eventually(connected));
    CHECK(starter.ask("receive") == "web");
    CHECK(starter.ask("variables").empty());
}
