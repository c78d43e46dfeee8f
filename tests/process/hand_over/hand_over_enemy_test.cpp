// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Messages that pretend to be hand-overs, and carries that do not match their message.
#include "process/shared_stream.hpp"
#include "socket/offer.hpp"
#include "support/carry_pattern.hpp"

#include <sharedsock/hand_over.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ss = sharedsock;
using ss::detail::carry_label;
using ss::detail::mail_message;
using ss::detail::unique_fd;
using test::carry_pattern;
using test::records_in_use;
using test::shared_stream;

namespace {

// A sender that does everything right in the segment, and writes any words into its message.
class enemy {
public:
    explicit enemy(ss::segment& of) : segment_(of), self_(*of.attachment()->member())
    {
        sockaddr_un address{};
        address.sun_family     = AF_UNIX;
        const std::string path = ss::segment_options().directory + "/sharedsock." + std::to_string(::geteuid()) + "." + of.name() +
                                 "/ways/box." + std::to_string(self_.self().index);
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::connect(connection_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }

    // A true message for this process, whose handle record waits.
    mail_message prepare(const ss::shared_socket& socket)
    {
        ss::error_code ec;
        const auto record = self_.prepare_offer(socket.impl()->socket(), 4709, self_.self(), ec);
        REQUIRE_FALSE(ec);
        return ss::detail::make_offer(mail_message::kind::hand_over, *socket.impl(), self_, {record, 4709}, self_.self());
    }

    void send(const mail_message& text, const carry_label& label, const std::vector<int>& descriptors, std::size_t in_message = 0)
    {
        std::vector<std::byte> bytes = carry_pattern(1, in_message);
        iovec pieces[]               = {{const_cast<mail_message*>(&text), sizeof text},
                                        {const_cast<carry_label*>(&label), sizeof label},
                                        {bytes.data(), bytes.size()}};
        std::vector<char> control(CMSG_SPACE(sizeof(int) * descriptors.size()));
        msghdr message{};
        message.msg_iov        = pieces;
        message.msg_iovlen     = 3;
        message.msg_control    = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const rights  = CMSG_FIRSTHDR(&message);
        rights->cmsg_level     = SOL_SOCKET;
        rights->cmsg_type      = SCM_RIGHTS;
        rights->cmsg_len       = CMSG_LEN(sizeof(int) * descriptors.size());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof(int) * descriptors.size());
        REQUIRE(::sendmsg(connection_.get(), &message, MSG_NOSIGNAL) > 0);
    }

    std::uint64_t dropped() { return segment_.attachment()->box().dropped(); }

private:
    ss::segment& segment_;
    ss::detail::membership& self_;
    unique_fd connection_{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
};

constexpr int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

unique_fd memory_of(off_t size, int seals)
{
    unique_fd memory(::memfd_create("carry", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    REQUIRE(::ftruncate(memory.get(), size) == 0);
    REQUIRE(::fcntl(memory.get(), F_ADD_SEALS, seals) == 0);
    return memory;
}

struct scene {
    test::scratch_segment segment;
    shared_stream s{segment};
    enemy hostile{segment};
    mail_message text      = hostile.prepare(s.socket);
    const std::size_t open = test::descriptors_of(::getpid());

    ss::error_code receive(bool expected = false)
    {
        ss::error_code ec;
        CHECK(ss::receive_hand_over(segment, ec).has_value() == expected);
        return ec;
    }
    // After an error nothing is left but the connection, and the next hand-over arrives.
    void check_that_all_goes_on()
    {
        CHECK(test::descriptors_of(::getpid()) == open + 1);
        CHECK(records_in_use(segment) == 1);
        CHECK_FALSE(receive());
        shared_stream next(segment);
        ss::hand_over_unacknowledged(std::move(next.socket), segment->self(), {carry_pattern(5, 100), 5});
        const auto received = ss::receive_hand_over(segment);
        REQUIRE(received);
        CHECK(received->bytes == carry_pattern(5, 100));
        s.socket.close();
        CHECK(s.x.ended()); // no copy was left anywhere
    }
};

} // namespace

TEST_CASE("a carry in memory that could change, or is not as long as its message says, is an error, and its socket is closed",
          "[G8][G10]")
{
    scene here;
    carry_label label{.tag = 1, .size_bytes = 50'000, .in_memory = 1};
    unique_fd memory;
    SECTION("not sealed") { memory = memory_of(50'000, 0); }
    SECTION("may shrink") { memory = memory_of(50'000, all_seals & ~F_SEAL_SHRINK); }
    SECTION("may be written") { memory = memory_of(50'000, all_seals & ~F_SEAL_WRITE); }
    SECTION("shorter") { memory = memory_of(49'999, all_seals); }
    SECTION("longer") { memory = memory_of(50'001, all_seals); }
    SECTION("empty") { memory = memory_of(0, all_seals); }
    SECTION("a file") { memory.reset(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }
    SECTION("a device that never ends") { memory.reset(::open("/dev/zero", O_RDONLY | O_CLOEXEC)); }
    SECTION("a pipe in which nothing comes")
    {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        memory.reset(ends[0]);
        ::close(ends[1]);
    }
    here.hostile.send(here.text, label, {here.s.socket.native_handle(), memory.get()});
    memory.reset();
    CHECK(here.receive() == ss::errc::bad_hand_over);
    CHECK(ss::error_code(ss::errc::bad_hand_over) == std::errc::bad_message);
    here.check_that_all_goes_on();
}

TEST_CASE("a hand-over that brings another socket, or none, is an error, and its descriptors are closed", "[G8][G9][G10]")
{
    scene here;
    shared_stream other(here.segment);
    const std::size_t records = records_in_use(here.segment);
    unique_fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    SECTION("another") { here.hostile.send(here.text, {}, {other.socket.native_handle()}); }
    SECTION("a file") { here.hostile.send(here.text, {}, {file.get()}); }
    SECTION("another, and the message says so")
    {
        here.text.cookie            = other.socket.impl()->slot().cookie;
        here.text.socket            = other.socket.impl()->socket().index;
        here.text.socket_generation = other.socket.impl()->socket().generation;
        here.hostile.send(here.text, {}, {other.socket.native_handle()});
    }
    SECTION("another, whose cookie the message has")
    {
        here.text.cookie = other.socket.impl()->slot().cookie;
        here.hostile.send(here.text, {}, {other.socket.native_handle()});
    }
    CHECK(here.receive() == ss::errc::wrong_descriptor);
    CHECK(records_in_use(here.segment) == records - 1);
    other.socket.close();
    CHECK(other.x.ended());
    file.reset();
    other.x.close();
    here.s.socket.close();
    CHECK(here.s.x.ended());
}

TEST_CASE("a forged hand-over is an error with a reason, and takes nothing from any process", "[G8][G9][G10]")
{
    scene here;
    mail_message forged = here.text;
    SECTION("with another nonce") { forged.nonce ^= 1; }
    SECTION("with no nonce") { forged.nonce = 0; }
    SECTION("of an open handle")
    {
        forged.handle            = here.s.socket.impl()->which().handle.index;
        forged.handle_generation = here.s.socket.impl()->which().handle.generation;
        forged.nonce             = GENERATE(0u, 1u);
    }
    SECTION("of a ticket for this process")
    {
        const ss::ticket ticket  = here.s.socket.duplicate(here.segment->self());
        forged.handle            = ticket.handle;
        forged.handle_generation = ticket.handle_generation;
        forged.nonce             = ticket.nonce;
        CHECK(here.segment->waiting_tickets().size() == 1);
    }
    const std::size_t records = records_in_use(here.segment);
    here.hostile.send(forged, {}, {here.s.socket.native_handle()});
    CHECK(here.receive() == ss::errc::bad_hand_over);
    CHECK_FALSE(here.receive());
    CHECK(records_in_use(here.segment) == records);
    CHECK(here.s.socket.send("x") == 1);
    here.hostile.send(here.text, {.tag = 3}, {here.s.socket.native_handle()}); // the true one stays good
    CHECK_FALSE(here.receive(true));
    here.hostile.send(here.text, {.tag = 3}, {here.s.socket.native_handle()}); // once
    CHECK_FALSE(here.receive());
}

TEST_CASE("a message that is no hand-over by its form is dropped with its descriptors", "[G8][G10][fault-67]")
{
    scene here;
    const int one          = here.s.socket.native_handle();
    const unique_fd memory = memory_of(100, all_seals);
    const std::size_t open = test::descriptors_of(::getpid());
    std::uint64_t dropped  = 1;
    SECTION("fewer bytes than it says") { here.hostile.send(here.text, {.size_bytes = 11}, {one}, 10); }
    SECTION("more bytes than it says") { here.hostile.send(here.text, {.size_bytes = 9}, {one}, 10); }
    SECTION("more than a message holds") { here.hostile.send(here.text, {.size_bytes = 20'000}, {one}, 20'000); }
    SECTION("more than a hand-over carries")
    {
        here.hostile.send(here.text, {.size_bytes = ss::max_carry + 1, .in_memory = 1}, {one, memory.get()});
    }
    SECTION("memory that is not there") { here.hostile.send(here.text, {.size_bytes = 100, .in_memory = 1}, {one}); }
    SECTION("memory that the message does not mention") { here.hostile.send(here.text, {}, {one, memory.get()}); }
    SECTION("bytes in both places") { here.hostile.send(here.text, {.size_bytes = 100, .in_memory = 1}, {one, memory.get()}, 100); }
    SECTION("bytes in a third place") { here.hostile.send(here.text, {.in_memory = 2}, {one}); }
    SECTION("for an earlier process at this place")
    {
        here.text.receiver_generation -= 1;
        here.hostile.send(here.text, {}, {one});
        dropped = 0; // this message is well formed
    }
    CHECK_FALSE(here.receive());
    CHECK(here.hostile.dropped() == dropped);
    CHECK(test::descriptors_of(::getpid()) == open + 1);
    shared_stream next(here.segment);
    ss::hand_over_unacknowledged(std::move(next.socket), here.segment->self(), {carry_pattern(5, 100), 5});
    CHECK_FALSE(here.receive(true));
}
