// shared_socket::close and the destructor in one process: waiting calls, lingering, resets.
#include "process/shared_socket_steps.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"

#include <chrono>
#include <cstddef>
#include <future>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::fill;
using test::receive_error;

namespace {

void set_linger(ss::shared_socket& socket, int seconds)
{
    const linger on{1, seconds};
    ss::error_code ec;
    socket.set_option(SOL_SOCKET, SO_LINGER, &on, sizeof on, ec);
    REQUIRE_FALSE(ec);
}

} // namespace

TEST_CASE("shared_socket::close ends the calls of this process that wait in the handle", "[shared_socket][DUP-18]")
{
    test::scratch_segment segment;
    test::connection c(segment);
    auto first  = std::async(std::launch::async, [&] { return receive_error(c.socket); });
    auto second = std::async(std::launch::async, [&] { return receive_error(c.socket); });
    std::this_thread::sleep_for(50ms); // that they wait by now is likely, and not needed
    c.socket.close();
    const auto expected = [](const ss::error_code& ec) {
        return ec == std::errc::operation_canceled || ec == ss::errc::closed_handle;
    };
    CHECK(expected(first.get()));
    CHECK(expected(second.get()));
    char byte = 0;
    CHECK(::recv(c.peer, &byte, 1, 0) == 0); // the descriptor is closed as well
}

TEST_CASE("a lingering close of the last handle says so instead of waiting", "[shared_socket][ERR-4]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    ss::error_code ec;
    set_linger(c.socket, 2);
    c.socket.set_blocking(false);

    SECTION("with unsent data the handle stays valid")
    {
        fill(c.socket);
        c.socket.close(ec);
        CHECK(ec == ss::errc::would_linger);
        CHECK(ec == std::errc::operation_would_block);
        CHECK(c.socket.is_open());
        const linger off{};
        c.socket.set_option(SOL_SOCKET, SO_LINGER, &off, sizeof off, ec);
        c.socket.close(ec);
        CHECK_FALSE(ec);
    }
    SECTION("with nothing to send it closes")
    {
        c.socket.close(ec);
        CHECK_FALSE(ec);
    }
    SECTION("a handle that is not the last closes")
    {
        auto other = ss::shared_socket::redeem(segment, c.socket.duplicate(segment->self()));
        fill(c.socket);
        c.socket.close(ec);
        CHECK_FALSE(ec);
        other.close(ec);
        CHECK(ec == ss::errc::would_linger);
    }
}

TEST_CASE("a socket's destructor does not wait for unsent data, and loses none", "[shared_socket][ERR-4]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    set_linger(c.socket, 30);
    std::size_t sent = 0;
    {
        const std::vector<std::byte> much(1 << 20);
        ss::error_code ec;
        while (!ec)
            sent += c.socket.send(much, MSG_DONTWAIT, ec);
    }
    c.socket = {}; // a test with a duration above: 30 s would end it
    test::plain_socket x(std::exchange(c.peer, -1));
    CHECK(x.receive(sent).size() == sent);
    CHECK(x.ended());
}

TEST_CASE("a reset that a handle asked for by SO_LINGER is sent at the last close only", "[shared_socket][DUP-13]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    test::plain_socket x(std::exchange(c.peer, -1));
    auto other = ss::shared_socket::redeem(segment, c.socket.duplicate(segment->self()));
    set_linger(c.socket, 0);
    c.socket = {};
    CHECK(x.quiet(50ms));
    other = {};
    CHECK(x.was_reset());
}
