// The socket calls in one process and its threads; tests/conformance has the state that processes share.
#include "process/shared_socket_steps.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/uio.h>
#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::bytes;
using test::fill;
using test::receive_error;
using test::receive_text;

namespace {

template <class Rep, class Period>
void set_timeout(ss::shared_socket& socket, int option, std::chrono::duration<Rep, Period> limit)
{
    const timeval value{0, std::chrono::duration_cast<std::chrono::microseconds>(limit).count()};
    ss::error_code ec;
    socket.set_option(SOL_SOCKET, option, &value, sizeof value, ec);
    REQUIRE_FALSE(ec);
}

} // namespace

TEST_CASE("a handle that refers to nothing fails every call and answers every question", "[shared_socket]")
{
    ss::shared_socket nothing;
    ss::error_code ec;
    CHECK_FALSE(nothing.is_open());
    CHECK(nothing.native_handle() == -1);
    CHECK(nothing.handles(ec).empty());
    CHECK(ec == ss::errc::closed_handle);
    CHECK_THROWS_AS(nothing.handles(), ss::system_error);
    nothing.send(bytes("x"), 0, ec);
    CHECK(ec == ss::errc::closed_handle);
    nothing.close(ec);
    CHECK(ec == ss::errc::closed_handle);
    CHECK(nothing.release(ec) == -1);
    CHECK(ec == ss::errc::closed_handle);
    CHECK_THROWS_AS(nothing.local_address(), ss::system_error);
    CHECK_THROWS_AS(nothing.blocking(), ss::system_error);
    ss::shared_socket::open(ss::segment(), AF_INET, SOCK_STREAM, 0, ec);
    CHECK(ec == ss::errc::not_attached);
}

TEST_CASE("an adopted socket keeps its mode, and a refused descriptor stays as it was", "[shared_socket]")
{
    test::scratch_segment segment;
    ss::error_code ec;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    test::plain_socket other(pair[1]);

    SECTION("blocking")
    {
        auto adopted = ss::shared_socket::adopt(segment, pair[0]);
        CHECK(adopted.blocking());
        CHECK((::fcntl(pair[0], F_GETFL) & O_NONBLOCK) == 0); // for the other users of the descriptor (STATE-15)
        CHECK((::fcntl(pair[0], F_GETFD) & FD_CLOEXEC) != 0);
        CHECK(adopted.family() == AF_UNIX);
        CHECK(adopted.type() == SOCK_STREAM);

        // A second handle takes a ticket.
        const int again = ::dup(pair[0]);
        ss::shared_socket::adopt(segment, again, ec);
        CHECK(ec == ss::errc::already_shared);
        CHECK((::fcntl(again, F_GETFD) & FD_CLOEXEC) == 0);
        ::close(again);
    }
    SECTION("non-blocking")
    {
        ::fcntl(pair[0], F_SETFL, O_NONBLOCK);
        auto adopted = ss::shared_socket::adopt(segment, pair[0]);
        CHECK_FALSE(adopted.blocking());
        CHECK(receive_error(adopted) == std::errc::operation_would_block);
    }
    SECTION("not a socket, or nothing")
    {
        const int file = ::open("/dev/null", O_RDWR);
        ss::shared_socket::adopt(segment, file, ec);
        CHECK(ec == ss::errc::not_a_shared_socket);
        CHECK((::fcntl(file, F_GETFL) & O_NONBLOCK) == 0);
        ::close(file);
        ss::shared_socket::adopt(segment, file, ec);
        CHECK(ec == std::errc::bad_file_descriptor);
        ::close(pair[0]);
    }
    SECTION("a table without room")
    {
        std::vector<ss::shared_socket> all;
        while (!ec)
            all.push_back(ss::shared_socket::open(segment, AF_UNIX, SOCK_STREAM, 0, ec));
        REQUIRE(ec == ss::errc::socket_table_full);
        ss::shared_socket::adopt(segment, pair[0], ec);
        CHECK(ec == ss::errc::socket_table_full);
        CHECK((::fcntl(pair[0], F_GETFL) & O_NONBLOCK) == 0);
        all.clear();
        CHECK(ss::shared_socket::adopt(segment, pair[0]).is_open());
    }
}

TEST_CASE("an adopted socket whose send side was shut down before reads the orderly end", "[shared_socket]")
{
    test::scratch_segment segment;
    test::plain_listener listener;
    auto plain = test::plain_socket::connect(listener.port());
    auto x     = listener.accept();
    plain.shutdown_send();
    auto socket = ss::shared_socket::adopt(segment, plain.release());
    x.send("late");
    x.close();
    CHECK(receive_text(socket, 4) == "late");
    CHECK(receive_text(socket, 4).empty()); // both have ended: no reset, though the kernel shows one
    CHECK(receive_text(socket, 4).empty());
}

TEST_CASE("a released descriptor is the caller's, and the handle is gone", "[shared_socket]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    const int descriptor = c.socket.release();
    CHECK_FALSE(c.socket.is_open());
    CHECK((::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0); // as it was when it was adopted
    c.say("x");
    char byte = 0;
    CHECK(::recv(descriptor, &byte, 1, 0) == 1);
    CHECK(ss::shared_socket::adopt(segment, descriptor).is_open()); // the slot of the socket was freed
}

TEST_CASE("a blocking call waits no longer than the socket's timeout", "[shared_socket]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    set_timeout(c.socket, SO_RCVTIMEO, 50ms);
    set_timeout(c.socket, SO_SNDTIMEO, 50ms);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(receive_error(c.socket) == std::errc::operation_would_block);
    CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
    ss::error_code ec;
    const std::vector<std::byte> much(20'000'000);
    CHECK(c.socket.send(much, 0, ec) < much.size());
    CHECK_FALSE(ec);
    while (!ec)
        c.socket.send(much, 0, ec); // the buffers may grow a little more
    CHECK(ec == std::errc::operation_would_block);
}

TEST_CASE("MSG_WAITALL waits for all bytes, over all pieces", "[shared_socket]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    c.say("ab");
    auto rest = std::async(std::launch::async, [&] {
        std::this_thread::sleep_for(20ms);
        c.say("cde");
        std::this_thread::sleep_for(20ms);
        c.say("fgh");
    });
    std::array<char, 3> one{};
    std::array<char, 4> two{};
    const iovec pieces[] = {{one.data(), one.size()}, {two.data(), two.size()}};
    ss::error_code ec;
    CHECK(c.socket.receive(pieces, MSG_WAITALL, ec) == 7);
    CHECK(std::string(one.data(), 3) + std::string(two.data(), 4) == "abcdefg");
    rest.get();
    c.close_peer();
    CHECK(receive_text(c.socket, 7, MSG_WAITALL) == "h"); // the bytes that there were at the end
    CHECK(receive_text(c.socket, 7, MSG_WAITALL).empty());
}

TEST_CASE("a call never blocks on a non-blocking socket whose O_NONBLOCK other code has cleared", "[shared_socket][fault-72]")
{
    test::scratch_segment segment;
    auto listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    listener.set_blocking(false);
    test::connection c(segment, AF_INET);
    c.socket.set_blocking(false);
    for (const int descriptor : {listener.native_handle(), c.socket.native_handle()})
        ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
    CHECK(receive_error(c.socket) == std::errc::operation_would_block);
    fill(c.socket);
    ss::error_code ec;
    CHECK_FALSE(listener.accept(ec).is_open());
    CHECK(ec == std::errc::operation_would_block);
}

TEST_CASE("datagrams through a shared socket keep their limits and their senders", "[shared_socket]")
{
    test::scratch_segment segment;
    auto a = ss::shared_socket::open(segment, AF_INET, SOCK_DGRAM);
    auto b = ss::shared_socket::open(segment, AF_INET, SOCK_DGRAM);
    a.bind(ss::socket_address::loopback(0));
    b.bind(ss::socket_address::loopback(0));
    CHECK(a.protocol() == IPPROTO_UDP);
    CHECK(a.send_to(bytes("hello"), b.local_address()) == 5);
    CHECK(a.send_to({}, b.local_address()) == 0);

    std::array<std::byte, 9> room;
    ss::socket_address from;
    CHECK(b.receive_from(room, from) == 5);
    CHECK(from == a.local_address());
    ss::error_code ec;
    CHECK(b.receive_from(room, from, 0, ec) == 0); // a datagram of no bytes is one
    CHECK_FALSE(ec);

    b.connect(a.local_address());
    b.connect(a.local_address()); // again, as a datagram socket may
    CHECK(b.peer_address() == a.local_address());
    CHECK(b.send("direct") == 6);
    CHECK(a.receive(room) == 6);
}

TEST_CASE("a refused datagram is told once and ends nothing", "[shared_socket]")
{
    test::scratch_segment segment;
    auto a = ss::shared_socket::open(segment, AF_INET, SOCK_DGRAM);
    {
        auto gone = ss::shared_socket::open(segment, AF_INET, SOCK_DGRAM);
        gone.bind(ss::socket_address::loopback(0));
        a.connect(gone.local_address());
    }
    a.send("x");
    CHECK(test::eventually([&] { return receive_error(a, MSG_DONTWAIT) == std::errc::connection_refused; }));
    CHECK(receive_error(a, MSG_DONTWAIT) == std::errc::operation_would_block);
}

TEST_CASE("a stream of AF_UNIX connects at once, and its reset is for ever too", "[shared_socket]")
{
    test::scratch_segment segment;
    const std::string path = std::string(1, '\0') + segment.name();
    auto listener          = ss::shared_socket::listen(segment, ss::socket_address::local(path), 0);
    auto a                 = ss::shared_socket::open(segment, AF_UNIX, SOCK_STREAM);
    a.connect(ss::socket_address::local(path));
    ss::error_code ec;
    a.connect(ss::socket_address::local(path), ec);
    CHECK(ec == std::errc::already_connected);
    auto full = ss::shared_socket::open(segment, AF_UNIX, SOCK_STREAM);
    full.connect(ss::socket_address::local(path), ec);
    CHECK(ec == std::errc::operation_would_block); // the listener's queue has room for one
    ss::socket_address peer;
    auto x = listener.accept(&peer);
    full.connect(ss::socket_address::local(path), ec);
    CHECK_FALSE(ec);

    a.send("unread");
    x.close();
    CHECK(receive_error(a) == std::errc::connection_reset);
    CHECK(receive_error(a) == std::errc::connection_reset);
    a.send(bytes("x"), 0, ec);
    CHECK(ec == std::errc::connection_reset);
}

TEST_CASE("calls on an unconnected stream fail with not_connected", "[shared_socket]")
{
    test::scratch_segment segment;
    auto socket = ss::shared_socket::open(segment, AF_INET, SOCK_STREAM);
    ss::error_code ec;
    CHECK(receive_error(socket) == std::errc::not_connected);
    socket.send(bytes("x"), 0, ec);
    CHECK(ec == std::errc::not_connected);
    socket.shutdown(SHUT_WR, ec);
    CHECK(ec == std::errc::not_connected);
    auto listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    CHECK_NOTHROW(socket.connect(listener.local_address())); // none of it did any harm
    CHECK(socket.send("x") == 1);
}

TEST_CASE("a shared socket's connection can be dissolved and the socket connected anew", "[shared_socket]")
{
    test::scratch_segment segment;
    auto listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    auto socket   = ss::shared_socket::open(segment, AF_INET, SOCK_STREAM);
    socket.connect(listener.local_address());
    auto x = listener.accept();
    socket.shutdown(SHUT_WR);
    const sockaddr nobody{AF_UNSPEC, {}};
    socket.connect(ss::socket_address(&nobody, sizeof nobody));
    socket.connect(listener.local_address());
    CHECK(socket.send("again") == 5);
}
