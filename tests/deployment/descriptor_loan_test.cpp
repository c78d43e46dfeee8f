// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Descriptors that were lent to this process, and all that it leaves on them for their other users (STATE-15).
#include "attach/handle.hpp"
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>
#include <sharedsock/sharedsock.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// The listener of a super-server, which blocks; `copy` is what a service inherits.
class lender {
public:
    explicit lender(int backlog = 16) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family      = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size          = sizeof address;
        ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size);
        ::listen(listener_, backlog);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }
    ~lender() { ::close(listener_); }
    lender(const lender&)            = delete;
    lender& operator=(const lender&) = delete;

    int copy() const { return ::dup(listener_); }
    std::uint16_t port() const { return port_; }
    int fd() const { return listener_; }

private:
    int listener_;
    std::uint16_t port_ = 0;
};

bool blocks(int descriptor) { return (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0; }

// In a process of its own, which then ends in one of several ways.
int served_by_child(const test::scratch_segment& segment, const lender& of, const std::function<void(ss::shared_socket&)>& end)
{
    const pid_t child = ::fork();
    if (child != 0) return test::ended(child);
    ss::segment home = ss::segment::open(segment.name());
    auto mine        = ss::shared_socket::adopt(home, of.copy());
    mine.set_blocking(false);
    auto caller = test::plain_socket::connect(of.port());
    ss::event_object ready;
    mine.event_select(ready, ss::network_event::accept);
    if (!ready.wait(test::patience)) ::_exit(1);
    static_cast<void>(mine.accept());
    ss::error_code nobody;
    static_cast<void>(mine.accept(nobody)); // nothing waits
    if (nobody != std::errc::operation_would_block) ::_exit(2);
    if (!blocks(mine.native_handle())) ::_exit(3);
    end(mine);
    ::_exit(0);
}

} // namespace

TEST_CASE("a lent listener blocks its other users as before, however the service that adopted it ends", "[STATE-15][fault-149]")
{
    const lender super_server;
    test::scratch_segment segment;
    SECTION("the service closes its handle")
    {
        CHECK(served_by_child(segment, super_server, [](ss::shared_socket& mine) { mine.close(); }) == 0);
    }
    SECTION("the service drops its handle")
    {
        CHECK(served_by_child(segment, super_server, [](ss::shared_socket& mine) { mine = {}; }) == 0);
    }
    SECTION("the service releases the descriptor")
    {
        CHECK(served_by_child(segment, super_server, [](ss::shared_socket& mine) {
                  if (!blocks(mine.release())) ::_exit(4);
              }) == 0);
    }
    SECTION("the service ends without a word")
    {
        CHECK(served_by_child(segment, super_server, [](ss::shared_socket&) {}) == 0);
    }
    SECTION("the service is killed")
    {
        CHECK(served_by_child(segment, super_server, [](ss::shared_socket&) { ::raise(SIGKILL); }) == -SIGKILL);
    }
    CHECK(blocks(super_server.fd()));
}

TEST_CASE("an accept on a lent listener does not wait where the socket is non-blocking, and leaves the flag clear",
          "[STATE-15][fault-149]")
{
    const lender super_server;
    test::scratch_segment segment;
    auto mine = ss::shared_socket::adopt(segment, super_server.copy());
    CHECK(mine.blocking());
    mine.set_blocking(false);
    ss::error_code ec;
    static_cast<void>(mine.accept(ec)); // would hang if the flag were not set for the call
    CHECK(ec == std::errc::operation_would_block);
    CHECK(blocks(super_server.fd()));
    auto caller = test::plain_socket::connect(super_server.port());
    CHECK(mine.accept().is_open());
    CHECK(blocks(super_server.fd()));
}

TEST_CASE("a flag that a process left on a lent listener when it was killed inside of accept is cleared by the next call",
          "[STATE-15][fault-149]")
{
    const lender super_server;
    test::scratch_segment segment;
    auto mine = ss::shared_socket::adopt(segment, super_server.copy());
    mine.set_blocking(false);
    ::fcntl(super_server.fd(), F_SETFL, O_NONBLOCK); // as it is for the length of the call
    ss::error_code ec;
    static_cast<void>(mine.accept(ec));
    CHECK(blocks(super_server.fd()));
}

TEST_CASE("a lent listener keeps blocking while Asio accepts from it", "[STATE-15][fault-149]")
{
    const lender super_server;
    test::scratch_segment segment;
    boost::asio::io_context io;
    std::optional<ss::error_code> ended;
    const auto accepted = [&](ss::error_code ec, auto&&) { ended = ec; };
    SECTION("in turn with others")
    {
        ss::acceptor acceptor(io, ss::shared_socket::adopt(segment, super_server.copy()));
        acceptor.async_accept(accepted);
        io.poll();
        CHECK(blocks(super_server.fd()));
        auto caller = test::plain_socket::connect(super_server.port());
        while (!ended)
            io.run_one();
    }
    SECTION("by registration")
    {
        ss::acceptor acceptor(io.get_executor(), ss::shared_socket::adopt(segment, super_server.copy()), ss::by_registration);
        acceptor.async_accept(accepted);
        io.poll();
        CHECK(blocks(super_server.fd()));
        auto caller = test::plain_socket::connect(super_server.port());
        while (!ended)
            io.run_one();
    }
    CHECK(ended == ss::error_code());
    CHECK(blocks(super_server.fd()));
}

TEST_CASE("a lent socket that connects, sends and receives keeps blocking", "[STATE-15][fault-149]")
{
    const lender server;
    test::scratch_segment segment;
    const int lent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto mine      = ss::shared_socket::adopt(segment, ::dup(lent));
    mine.connect(ss::socket_address::loopback(server.port()));
    CHECK(blocks(lent));
    mine.set_blocking(false);
    char room[8];
    ss::error_code ec;
    mine.receive(std::as_writable_bytes(std::span(room)), 0, ec);
    CHECK(ec == std::errc::operation_would_block);
    CHECK(mine.send("x") == 1);
    CHECK(blocks(lent));
    ::close(lent);
}

TEST_CASE("a lent descriptor that did not block stays so", "[STATE-15][fault-149]")
{
    const lender super_server;
    ::fcntl(super_server.fd(), F_SETFL, O_NONBLOCK);
    test::scratch_segment segment;
    auto mine = ss::shared_socket::adopt(segment, super_server.copy());
    CHECK_FALSE(mine.blocking());
    ss::error_code ec;
    static_cast<void>(mine.accept(ec));
    CHECK(ec == std::errc::operation_would_block);
    mine.close();
    CHECK_FALSE(blocks(super_server.fd()));
}

TEST_CASE("a released descriptor is inherited by executed programs if it was when it was adopted", "[STATE-15][fault-149]")
{
    const lender super_server;
    test::scratch_segment segment;
    const int inheritable = super_server.copy();
    auto mine             = ss::shared_socket::adopt(segment, inheritable);
    CHECK(::fcntl(inheritable, F_GETFD) == FD_CLOEXEC);
    const int given_back = mine.release();
    CHECK(given_back == inheritable);
    CHECK(::fcntl(given_back, F_GETFD) == 0);
    ::fcntl(given_back, F_SETFD, FD_CLOEXEC);
    mine = ss::shared_socket::adopt(segment, given_back);
    CHECK(::fcntl(mine.release(), F_GETFD) == FD_CLOEXEC);
    ::close(given_back);
}

TEST_CASE("an accept on a lent listener says so if another process is stopped in the same call", "[STATE-15][fault-149]")
{
    const lender super_server;
    test::scratch_segment segment({.sockets = 8, .processes = 8, .patience = std::chrono::milliseconds(50)});
    auto mine = ss::shared_socket::adopt(segment, super_server.copy());
    mine.set_blocking(false);
    const pid_t child = ::fork();
    if (child == 0) {
        ss::error_code ec;
        auto& self = *segment->attachment()->member();
        const ss::detail::membership::slot_guard guard(self, mine.impl()->socket().index, ec);
        ::raise(SIGSTOP);
        ::_exit(ec ? 1 : 0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
    REQUIRE(WIFSTOPPED(status));
    ss::error_code ec;
    static_cast<void>(mine.accept(ec));
    CHECK(ec == ss::errc::lock_timeout);
    ::kill(child, SIGCONT);
    CHECK(test::ended(child) == 0);
    static_cast<void>(mine.accept(ec));
    CHECK(ec == std::errc::operation_would_block);
}
