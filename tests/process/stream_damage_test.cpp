// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The results of a stream's calls while random bytes are written into its slot: never an end that has not come, never an error
// that is none.
#include "base/stored_error.hpp"
#include "process/shared_stream.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

namespace ss = sharedsock;
using ss::detail::errno_in;
using ss::detail::socket_slot;
using test::shared_stream;

namespace {

bool is_an_error_of_somebody(const ss::error_code& ec)
{
    if (ec.category() == ss::category()) return true;
    if (ec.category() != boost::system::system_category()) return ec == boost::asio::error::eof;
    return ec.value() > 0 && ec.value() <= ss::detail::largest_errno;
}

// Writes random bytes over what a slot says of its connection: all but the word of its life and the list of its handles.
class rot {
public:
    rot(socket_slot& slot, unsigned seed) : slot_(slot), random_(seed) {}

    void spread(int count)
    {
        auto* const bytes = reinterpret_cast<unsigned char*>(&slot_);
        for (int i = 0; i < count; ++i) {
            const std::size_t at = 8 + random_() % (sizeof slot_ - 8);
            const bool held      = at >= offsetof(socket_slot, lock) && at < offsetof(socket_slot, cookie);
            if (!held) bytes[at] = random_() % 3 == 0 ? 0 : static_cast<unsigned char>(random_());
        }
    }

private:
    socket_slot& slot_;
    std::minstd_rand random_;
};

struct rotting_stream {
    explicit rotting_stream(unsigned seed) : damage(s.socket.impl()->slot(), seed) { s.socket.set_blocking(false); }

    test::scratch_segment segment{{.sockets = 4, .processes = 4, .patience = std::chrono::milliseconds(2)}};
    shared_stream s{segment};
    rot damage;
};

} // namespace

TEST_CASE("an errno that is read from the segment is valid, or tells that the segment is damaged", "[fault-111]")
{
    CHECK(errno_in(0) == 0);
    CHECK(errno_in(ECONNRESET) == ECONNRESET);
    CHECK(errno_in(4095) == 4095);
    for (const std::uint32_t none : {4096u, 0x7fff'ffffu, 0x8000'0000u, 0xffff'ffffu})
        CHECK(ss::detail::told_error(errno_in(none)) == ss::errc::segment_damaged);
    CHECK_FALSE(ss::detail::told_error(0));
    CHECK(ss::detail::told_error(ECONNRESET) == std::errc::connection_reset);
}

TEST_CASE("every call that tells an errno from the segment tells damage instead of an invalid number", "[ERR-6][fault-111]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    s.socket.set_blocking(false);
    socket_slot& slot = s.socket.impl()->slot();
    ss::error_code ec;
    std::byte room[1];
    slot.pending_error = 0xdead'beef;
    CHECK(s.socket.take_error() == ss::errc::segment_damaged);
    slot.pending_error = 0xdead'beef;
    int value          = 0;
    s.socket.get_option(SOL_SOCKET, SO_ERROR, &value, sizeof value, ec);
    CHECK(value == ENOTRECOVERABLE);
    slot.terminal_error = 0xdead'beef;
    s.x.reset();
    pollfd shown{s.socket.native_handle(), POLLIN, 0};
    REQUIRE(::poll(&shown, 1, -1) == 1);
    s.socket.receive(room, 0, ec);
    CHECK(ec == ss::errc::segment_damaged);
    s.socket.send(room, 0, ec);
    CHECK(ec == ss::errc::segment_damaged);
}

TEST_CASE("random bytes in its slot never end a stream that lives", "[G10][fault-112]")
{
    const auto seed = std::random_device()();
    INFO("seed " << seed);
    std::minstd_rand random(seed);
    for (int round = 0; round < 40; ++round) {
        rotting_stream here(static_cast<unsigned>(random()));
        std::byte room[3];
        for (int step = 0; step < 50; ++step) {
            here.damage.spread(4);
            here.s.x.send("some bytes");
            ss::error_code ec;
            const std::size_t got = here.s.socket.receive(room, 0, ec);
            REQUIRE((got > 0 || is_an_error_of_somebody(ec)));
            here.s.socket.send(room, 0, ec);
            REQUIRE((!ec || is_an_error_of_somebody(ec)));
            if (const ss::error_code taken = here.s.socket.take_error()) REQUIRE(is_an_error_of_somebody(taken));
        }
    }
}

TEST_CASE("random bytes in its slot make no orderly end of a stream that was reset", "[STATE-9][G10][fault-112]")
{
    const auto seed = std::random_device()();
    INFO("seed " << seed);
    std::minstd_rand random(seed);
    for (int round = 0; round < 100; ++round) {
        rotting_stream here(static_cast<unsigned>(random()));
        here.s.x.reset();
        std::byte room[3];
        pollfd shown{here.s.socket.native_handle(), POLLIN, 0};
        REQUIRE(::poll(&shown, 1, -1) == 1);
        for (int step = 0; step < 5; ++step) { // the first has the kernel's word for it, the others the slot's
            here.damage.spread(20);
            ss::error_code ec;
            const std::size_t got = here.s.socket.receive(room, 0, ec);
            REQUIRE(got == 0);
            REQUIRE(is_an_error_of_somebody(ec));
        }
    }
}

TEST_CASE("a read of Asio on a stream that was reset fails, and is no end of file, whatever its slot says",
          "[STATE-9][G10][fault-112]")
{
    const auto seed = std::random_device()();
    INFO("seed " << seed);
    std::minstd_rand random(seed);
    for (int round = 0; round < 100; ++round) {
        rotting_stream here(static_cast<unsigned>(random()));
        boost::asio::io_context context;
        socket_slot& slot = here.s.socket.impl()->slot();
        ss::stream stream(context, std::move(here.s.socket));
        here.s.x.reset();
        for (int step = 0; step < 5; ++step) {
            rot(slot, static_cast<unsigned>(random())).spread(20);
            std::array<char, 3> room{};
            ss::error_code ec;
            const std::size_t got = stream.read_some(boost::asio::buffer(room), ec);
            REQUIRE(got == 0);
            REQUIRE(ec);
            REQUIRE(ec != boost::asio::error::eof);
        }
    }
}

TEST_CASE("an orderly end stays one after the kernel has forgotten it", "[STATE-9][fault-112]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    ss::error_code ec;
    std::byte room[1];
    s.x.shutdown_send();
    CHECK(s.socket.receive(room, 0, ec) == 0);
    CHECK_FALSE(ec);
    s.socket.shutdown(SHUT_WR);
    CHECK(s.x.ended());
    s.x.close();
    for (int again = 0; again < 3; ++again) {
        CHECK(s.socket.receive(room, 0, ec) == 0);
        CHECK_FALSE(ec);
    }
}
