// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP: duplication, tickets and the life of a socket. At least one test for each rule of the specification.
#include "conformance/shared_connection.hpp"
#include "handle.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include <sys/syscall.h>
#include <sys/wait.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::peer;
using test::share;

namespace {

struct three_processes {
    test::scratch_segment segment;
    test::peer a{segment.name()};
    test::peer b{segment.name()};
    test::peer c{segment.name()};
};

// A new stream, which A has as h, to X. `kind`: tcp or unix.
test::plain_socket stream_to_x(test::peer& a, const std::string& kind)
{
    if (kind == "tcp") {
        test::plain_listener listener;
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        return listener.accept();
    }
    const test::scratch_directory directory;
    const std::string path = (directory.path() / "x").string();
    const auto address     = ss::socket_address::local(path);
    const test::plain_socket listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.descriptor(), address.data(), address.size()) == 0);
    REQUIRE(::listen(listener.descriptor(), 1) == 0);
    REQUIRE(a.ask("open h unix") == "ok");
    REQUIRE(a.ask("connect h " + path) == "ok");
    return test::plain_socket(::accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
}

// S of the matrix: A has it as h, X is at its other end; B and C have nothing yet.
struct stream_of_a : three_processes {
    explicit stream_of_a(const std::string& kind = "tcp") : x(stream_to_x(a, kind)) {}

    // A makes a ticket for `target`, which is text already.
    std::string ticket_for(const test::peer& target) { return a.ask("duplicate h " + target.pid()); }
    std::string count(test::peer& who) // of handles and tickets
    {
        const std::string answer = who.ask("handles h");
        return answer.substr(0, answer.find(' '));
    }

    test::plain_socket x;
};

// Likewise, and B has redeemed a ticket.
struct stream_of_a_and_b : stream_of_a {
    explicit stream_of_a_and_b(const std::string& kind = "tcp") : stream_of_a(kind)
    {
        REQUIRE(test::share(a, "h", b) == "ok");
    }
};

std::string either_kind() { return GENERATE(as<std::string>{}, "tcp", "unix"); }

std::uint16_t port_of(const std::string& text)
{
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.find(':') + 1)));
}

// Slots that are not free, by what the segment itself says.
std::size_t sockets_in_use(test::scratch_segment& segment)
{
    namespace detail            = ss::detail;
    const detail::tables& bytes = segment->attachment()->member()->bytes();
    std::size_t count           = 0;
    for (std::uint32_t index = 0; index < bytes.sockets_backed(); ++index)
        count += load(*bytes.socket(index)).state != detail::slot_state::free;
    return count;
}

// Whether a thread of that process, other than its first, sleeps in poll(2): there a blocking call waits.
bool a_thread_waits(pid_t pid)
{
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
        if (task.path().filename() == std::to_string(pid)) continue;
        std::ifstream file(task.path() / "syscall");
        long number = -1;
        file >> number; // "running" is none
#ifdef SYS_poll
        if (file && number == SYS_poll) return true;
#endif
        if (file && number == SYS_ppoll) return true;
    }
    return false;
}

bool refused(const std::string& answer, const char* code)
{
    return answer == std::string("error: invalid_argument, ") + code;
}

constexpr const char* used          = "error: invalid_argument, ticket_used";
constexpr const char* wrong_process = "error: invalid_argument, ticket_wrong_process";
constexpr const char* closed        = "error: bad_file_descriptor, closed_handle";

} // namespace

TEST_CASE("a duplicate is another descriptor of the same socket", "[DUP-1]")
{
    const std::string kind = either_kind();
    stream_of_a_and_b s(kind);
    CHECK(s.b.ask("local h") == s.a.ask("local h"));
    CHECK(s.b.ask("peer h") == s.a.ask("peer h"));
    CHECK(s.b.ask("cookie h") == s.a.ask("cookie h"));
    CHECK(s.b.ask("id h") == s.a.ask("id h"));
    CHECK(s.b.ask("handle_id h") != s.a.ask("handle_id h"));
    CHECK(s.a.ask("send h a") == "1");
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(2) == "ab"); // one connection
    CHECK(sockets_in_use(s.segment) == 1);
}

TEST_CASE("a socket is shared by a ticket from the source and its redemption in the target", "[DUP-2]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(1) == "b");
    s.x.send("x");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
}

TEST_CASE("only the process that the ticket names may redeem it", "[DUP-3][G9]")
{
    stream_of_a s;
    const std::string ticket = s.ticket_for(s.b);
    CHECK(s.c.ask("redeem h " + ticket) == wrong_process);
    CHECK(s.a.ask("redeem g " + ticket) == wrong_process);
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(1) == "b");
}

TEST_CASE("a ticket is good for one redemption", "[DUP-4][fault-65][G9]")
{
    SECTION("by one process")
    {
        stream_of_a s;
        const std::string ticket = s.ticket_for(s.b);
        REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
        CHECK(refused(s.b.ask("redeem again " + ticket), "ticket_used"));
        CHECK(s.a.ask("handles h").front() == '2');
    }
    SECTION("by two threads that race for it")
    {
        test::scratch_segment home({.sockets = 8, .processes = 4});
        test::connection pair(home);
        int successes = 0;
        for (int round = 0; round < 1000; ++round) {
            const ss::ticket ticket = pair.socket.duplicate(home->self());
            std::atomic<int> won{0};
            const auto redeem = [&] {
                ss::error_code ec;
                const ss::shared_socket mine = ss::shared_socket::redeem(home, ticket, ec);
                if (!ec) won.fetch_add(1);
            };
            std::thread other(redeem);
            redeem();
            other.join();
            successes += won.load();
        }
        CHECK(successes == 1000);
        CHECK(pair.socket.handles().size() == 1);
    }
}

TEST_CASE("a ticket is plain bytes, of which copies mean nothing", "[DUP-5]")
{
    stream_of_a s;
    const test::scratch_directory directory;
    const auto path          = directory.path() / "ticket";
    const std::string ticket = s.ticket_for(s.b);
    CHECK(ticket.size() == 2 * ss::ticket::size);
    CHECK(s.count(s.a) == "2");
    for (const auto& copy : {path, directory.path() / "copy"})
        std::ofstream(copy) << ticket;
    CHECK(s.count(s.a) == "2");
    std::filesystem::remove(directory.path() / "copy");
    CHECK(s.count(s.a) == "2");

    std::string read;
    std::ifstream(path) >> read;
    CHECK(s.b.ask("redeem h " + read) == "ok");
    CHECK(s.count(s.a) == "2");
    CHECK(s.b.ask("send h hello") == "5");
    CHECK(s.x.receive(5) == "hello");
}

TEST_CASE("a ticket holds a reference: the source may close at once", "[DUP-6][G6]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    CHECK(s.a.ask("close h") == "ok");
    CHECK(s.x.quiet());
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
}

TEST_CASE("a ticket outlives its source", "[DUP-7][fault-66]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.x.quiet());
    SECTION("that was swept") { CHECK(s.c.ask("sweep") == "1"); }
    SECTION("that nobody found dead yet") {}
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
    s.x.send("x");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
    s.segment->sweep();
    CHECK(s.count(s.b) == "1");
}

TEST_CASE("a ticket that nobody redeems ends with its target", "[DUP-8]")
{
    stream_of_a s(either_kind());
    s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.x.quiet());
    s.b.process().kill(SIGKILL);
    CHECK(s.x.ended());
    REQUIRE(s.b.process().wait() == -SIGKILL);
    CHECK(s.c.ask("sweep") == "1");
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("a ticket that is revoked is dead, and its reference goes with the target's next call", "[DUP-8]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    SECTION("by its source") { CHECK(s.a.ask("revoke " + ticket) == "yes"); }
    SECTION("by its target") { CHECK(s.b.ask("revoke " + ticket) == "yes"); }
    SECTION("by any other") { CHECK(s.c.ask("revoke " + ticket) == "yes"); }
    CHECK(s.b.ask("redeem h " + ticket) == used);
    CHECK(s.x.ended());
    CHECK(s.c.ask("revoke " + ticket) == "no");
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("a ticket has no time-out", "[DUP-8]")
{
    stream_of_a s;
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.x.quiet(5s));
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
}

TEST_CASE("no ticket is made for a process that is not there", "[DUP-8][ERR-2]")
{
    stream_of_a s;
    CHECK(s.a.ask("duplicate h 2147483632") == "error: no_such_process, target_gone");
    s.b.process().kill(SIGKILL);
    s.b.process().wait();
    CHECK(s.a.ask("duplicate h " + s.b.pid()).find("error: no_such_process") == 0);
    CHECK(s.a.ask("handles h").front() == '1');
}

TEST_CASE("a redemption that fails for want of a descriptor leaves the ticket good", "[DUP-9][fault-40]")
{
    stream_of_a s(either_kind());
    const std::string ticket = s.ticket_for(s.b);
    REQUIRE(s.a.ask("close h") == "ok");
    REQUIRE(s.b.ask("limit_descriptors 0") == "ok");
    CHECK(s.b.ask("redeem h " + ticket) == "error: too_many_files_open");
    CHECK(s.b.ask("redeem h " + ticket) == "error: too_many_files_open");
    REQUIRE(s.b.ask("limit_descriptors off") == "ok");
    CHECK(s.b.ask("redeem h " + ticket) == "ok");
    CHECK(s.b.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended()); // no copy was left anywhere
}

TEST_CASE("a descriptor that came from a ticket is duplicated like any other", "[DUP-10]")
{
    stream_of_a_and_b s(either_kind());
    REQUIRE(test::share(s.b, "h", s.c) == "ok");
    REQUIRE(s.a.ask("close h") == "ok");
    REQUIRE(s.b.ask("close h") == "ok");
    CHECK(s.c.ask("send h c") == "1");
    CHECK(s.x.receive(1) == "c");
    s.x.send("x");
    CHECK(s.c.ask("receive h 1") == "\"x\"");
}

TEST_CASE("a socket is duplicated in any state, and stays in it", "[DUP-10]")
{
    three_processes s;
    REQUIRE(s.a.ask("open h tcp") == "ok");

    SECTION("unbound")
    {
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.b.ask("bind h 0") == "ok");
        REQUIRE(s.b.ask("listen h") == "ok");
        auto x = test::plain_socket::connect(port_of(s.b.ask("local h")));
        CHECK(s.b.ask("accept h s") == "ok");
    }
    SECTION("bound")
    {
        REQUIRE(s.a.ask("bind h 0") == "ok");
        const std::string address = s.a.ask("local h");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("local h") == address);
        REQUIRE(s.b.ask("listen h") == "ok");
        auto x = test::plain_socket::connect(port_of(address));
        CHECK(s.b.ask("accept h s") == "ok");
    }
    SECTION("listening, with a connection that waits")
    {
        REQUIRE(s.a.ask("bind h 0") == "ok");
        REQUIRE(s.a.ask("listen h") == "ok");
        auto x                   = test::plain_socket::connect(port_of(s.a.ask("local h")));
        const std::string ticket = s.a.ask("duplicate h " + s.b.pid());
        REQUIRE(s.a.ask("close h") == "ok");
        REQUIRE(s.b.ask("redeem h " + ticket) == "ok");
        CHECK(s.b.ask("accept h s") == "ok");
        CHECK(s.b.ask("send s hello") == "5");
        CHECK(x.receive(5) == "hello");
    }
    SECTION("connecting")
    {
        test::plain_listener full(0);
        auto in_the_way        = test::plain_socket::connect(full.port()); // the queue has room for one
        const std::string port = std::to_string(full.port());
        REQUIRE(s.a.ask("blocking h off") == "ok");
        REQUIRE(s.a.ask("connect h " + port) == "error: operation_would_block");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("connect h " + port) == "error: connection_already_in_progress");
        auto first = full.accept();
        auto x     = full.accept();
        CHECK(test::eventually([&] { return s.b.ask("connect h " + port) == "error: already_connected"; }));
        CHECK(s.b.ask("send h b") == "1");
        CHECK(x.receive(1) == "b");
    }
    SECTION("shut down")
    {
        test::plain_listener listener;
        REQUIRE(s.a.ask("connect h " + std::to_string(listener.port())) == "ok");
        auto x = listener.accept();
        REQUIRE(s.a.ask("shutdown h send") == "ok");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("send h b") == "error: broken_pipe");
        x.send("x");
        CHECK(s.b.ask("receive h 1") == "\"x\"");
    }
}

TEST_CASE("a datagram socket is duplicated like a stream", "[DUP-10]")
{
    three_processes s;
    REQUIRE(s.a.ask("open h udp") == "ok");
    REQUIRE(s.a.ask("bind h 0") == "ok");
    REQUIRE(s.c.ask("open h udp") == "ok");
    REQUIRE(s.c.ask("connect h " + std::to_string(port_of(s.a.ask("local h")))) == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.c.ask("send h hello") == "5");
    CHECK(s.b.ask("receive h 9") == "\"hello\"");
}

TEST_CASE("a process may duplicate for itself", "[DUP-10]")
{
    stream_of_a s(either_kind());
    REQUIRE(s.a.ask("redeem g " + s.a.ask("duplicate h self")) == "ok");
    CHECK(s.a.ask("fd g") != s.a.ask("fd h"));
    CHECK(s.a.ask("handle_id g") != s.a.ask("handle_id h"));
    CHECK(s.a.ask("id g") == s.a.ask("id h"));
    CHECK(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("send g a") == "1");
    CHECK(s.x.receive(1) == "a");
    CHECK(s.a.ask("close g") == "ok");
    CHECK(s.x.ended());
}

TEST_CASE("close releases one descriptor, and what is closed stays closed", "[DUP-11]")
{
    stream_of_a_and_b s(either_kind());
    const std::string number = s.a.ask("fd h");
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("send h x") == closed);
    // Also after another socket has got its number.
    std::string other;
    for (int i = 0; other != number && i < 32; ++i) {
        REQUIRE(s.a.ask("open o" + std::to_string(i) + " tcp") == "ok");
        other = s.a.ask("fd o" + std::to_string(i));
    }
    REQUIRE(other == number);
    CHECK(s.a.ask("send h x") == closed);
    CHECK(s.a.ask("close h") == closed);
    CHECK(s.a.ask("duplicate h " + s.b.pid()) == closed);
    CHECK(s.b.ask("send h b") == "1");
    CHECK(s.x.receive(1) == "b");
}

TEST_CASE("the last close ends the socket and frees its slot", "[DUP-12][G6]")
{
    stream_of_a_and_b s(either_kind());
    REQUIRE(test::share(s.a, "h", s.c) == "ok");
    CHECK(s.count(s.c) == "3");
    SECTION("one by one")
    {
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.x.quiet());
        REQUIRE(s.b.ask("close h") == "ok");
        CHECK(s.x.quiet());
        CHECK(s.count(s.c) == "1");
        REQUIRE(s.c.ask("close h") == "ok");
    }
    SECTION("by the destructor")
    {
        REQUIRE(s.b.ask("drop h") == "ok");
        REQUIRE(s.c.ask("drop h") == "ok");
        CHECK(s.x.quiet());
        REQUIRE(s.a.ask("drop h") == "ok");
    }
    CHECK(s.x.ended());
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("the socket ends with its last descriptor, and its slot is free then", "[DUP-12][G6]")
{
    test::scratch_segment small({.sockets = 1, .processes = 8});
    test::plain_listener listener;
    peer a{small.name()}, b{small.name()}, c{small.name()};
    REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
    test::plain_socket x = listener.accept();
    REQUIRE(share(a, "h", b) == "ok");
    REQUIRE(share(b, "h", c) == "ok");
    REQUIRE(a.ask("close h") == "ok");
    REQUIRE(b.ask("close h") == "ok");
    CHECK(x.quiet());
    CHECK(a.ask("open more tcp").find("error: no_buffer_space") == 0); // the one slot is in use
    REQUIRE(c.ask("close h") == "ok");
    CHECK(x.ended());
    CHECK(a.ask("open more tcp") == "ok");
}

TEST_CASE("the close type takes effect at the last close", "[DUP-13]")
{
    stream_of_a_and_b s;
    SECTION("a reset")
    {
        REQUIRE(s.a.ask("option h linger 0") == "ok");
        REQUIRE(s.a.ask("close h") == "ok");
        CHECK(s.x.quiet());
        REQUIRE(s.b.ask("close h") == "ok");
        CHECK(s.x.was_reset());
    }
    SECTION("a lingering close, of which the first closer notices nothing")
    {
        REQUIRE(s.a.ask("option h linger 2") == "ok");
        REQUIRE(s.a.ask("blocking h off") == "ok");
        s.a.ask("send_until_full h");
        CHECK(s.a.ask("close h") == "ok");
        CHECK(s.b.ask("close h") == "error: operation_would_block, would_linger"); // ERR-4
        CHECK(s.b.ask("is_open h") == "yes");
    }
}

TEST_CASE("unsent data is waited for by the last close only", "[DUP-13]")
{
    stream_of_a_and_b s;
    const std::size_t unsent = std::stoul(s.a.ask("send_until_full h"));
    REQUIRE(s.a.ask("option h linger 1000") == "ok");
    CHECK(s.a.ask("close h") == "ok"); // and not "the child did not answer in time"
    REQUIRE(s.b.ask("option h linger 1") == "ok");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(s.b.ask("close h") == "ok");
    CHECK(std::chrono::steady_clock::now() - begin >= 900ms);
    CHECK(s.x.receive(unsent).size() == unsent);
    CHECK(s.x.ended());
}

TEST_CASE("the end of a process closes its descriptors and cancels its registration", "[DUP-14][G7]")
{
    stream_of_a_and_b s(either_kind());
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.b.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.x.quiet());

    SECTION("when somebody sweeps")
    {
        CHECK(s.c.ask("sweep") == "1");
        CHECK(s.b.ask("query h") == "nobody");
        CHECK(s.count(s.b) == "1");
        CHECK(s.b.ask("event_select h e read") == "ok");
    }
    SECTION("when a survivor registers first")
    {
        CHECK(s.b.ask("event_select h e read") == "ok");
        CHECK(s.b.ask("query h").find("owner=" + s.b.ask("self")) == 0);
        CHECK(s.c.ask("sweep") == "0"); // the survivor has, for it watches for deaths now
        CHECK(s.b.ask("query h").find("owner=" + s.b.ask("self")) == 0);
    }
    s.x.send("x");
    CHECK(s.b.ask("wait e 20000") == "yes");
    CHECK(s.b.ask("enum h e") == "read");
    CHECK(s.b.ask("receive h 1") == "\"x\"");
    CHECK(s.b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(sockets_in_use(s.segment) == 0);
}

TEST_CASE("a dead owner owns nothing, whoever asks first", "[DUP-14]")
{
    stream_of_a_and_b s;
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.b.ask("query h") == "nobody");
}

TEST_CASE("the threads of a process share a handle", "[DUP-15]")
{
    constexpr std::uint32_t count = 100'000;
    test::scratch_segment segment;
    test::connection c(segment, GENERATE(AF_INET, AF_UNIX));
    std::thread x([&] {
        std::array<char, 65'536> room;
        for (ssize_t got = 0; (got = ::recv(c.peer, room.data(), room.size(), 0)) > 0;)
            for (ssize_t sent = 0; sent < got;)
                sent += std::max<ssize_t>(
                    0, ::send(c.peer, room.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL));
    });
    std::thread sender([&] {
        for (std::uint32_t number = 0; number < count; ++number)
            c.socket.send(std::as_bytes(std::span(&number, 1)));
    });
    std::uint32_t correct = 0;
    for (std::uint32_t number = 0; number < count; ++number) {
        std::uint32_t got = 0;
        correct +=
            c.socket.receive(std::as_writable_bytes(std::span(&got, 1)), MSG_WAITALL) == sizeof got && got == number;
    }
    sender.join();
    CHECK(correct == count);
    CHECK(c.socket.handles().size() == 1);
    c.socket.shutdown(SHUT_WR);
    x.join();
}

TEST_CASE("the library arbitrates no I/O: competing receivers get every byte once, and none is refused", "[DUP-16]")
{
    stream_of_a_and_b s;
    constexpr int bytes = 400'000;
    REQUIRE(s.a.ask("start r receive_count h " + std::to_string(bytes)) == "ok");
    REQUIRE(s.b.ask("start r receive_count h " + std::to_string(bytes)) == "ok");
    s.x.send(std::string(bytes, 'z'));
    s.x.shutdown_send();
    const std::string by_a = s.a.ask("join r");
    const std::string by_b = s.b.ask("join r");
    INFO(by_a << " and " << by_b);
    CHECK(std::stoi(by_a) + std::stoi(by_b) == bytes);
}

SHAREDSOCK_CHILD_ROLE(collects records)
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    role.say("redeemed");
    std::ofstream file(role.args.at(1), std::ios::binary);
    std::array<char, 4> record;
    while (socket.receive(std::as_writable_bytes(std::span(record))) == record.size())
        file.write(record.data(), record.size());
    file.close();
    role.say("done");
    return 0;
}

TEST_CASE("processes that receive at the same time are not refused, and each record goes to one of them", "[DUP-16]")
{
    constexpr std::uint32_t count = test::slowness == 1 ? 1'000'000 : 100'000;
    test::scratch_segment segment;
    const test::scratch_directory directory;
    test::connection c(segment, AF_UNIX, SOCK_SEQPACKET); // a stream would tear records apart between its receivers
    std::vector<std::unique_ptr<test::child_process>> collectors;
    for (const char* name : {"a", "b"}) {
        auto& one = *collectors.emplace_back(std::make_unique<test::child_process>(
            "collects records", std::vector<std::string>{segment.name(), directory.path() / name}));
        one.wait_for("ready");
        REQUIRE(one.ask(c.socket.duplicate(segment->find_process(one.pid()).value()).to_text()) == "redeemed");
    }
    std::uint32_t sent = 0;
    for (std::uint32_t number = 0; number < count; ++number)
        sent += ::send(c.peer, &number, sizeof number, MSG_NOSIGNAL) == sizeof number;
    CHECK(sent == count);
    c.close_peer();

    std::vector<std::uint8_t> times(count);
    std::size_t total = 0;
    for (auto& one : collectors)
        one->wait_for("done");
    for (const char* name : {"a", "b"}) {
        std::ifstream file(directory.path() / name, std::ios::binary);
        for (std::uint32_t number = 0; file.read(reinterpret_cast<char*>(&number), sizeof number); ++total)
            if (number < count) ++times[number];
    }
    CHECK(total == count);
    CHECK(std::all_of(times.begin(), times.end(), [](std::uint8_t n) { return n == 1; }));
}

TEST_CASE("a forked child's handles are counted, and go with it", "[DUP-17]")
{
    stream_of_a s;
    REQUIRE(s.a.ask("event e") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string owner = s.a.ask("self");
    CHECK(s.a.ask("in_fork handles h").front() == '2');
    CHECK(s.a.ask("in_fork query h").find("owner=" + owner) != std::string::npos);
    CHECK(s.a.ask("in_fork self") != owner);
    s.a.ask("sweep");
    CHECK(s.a.ask("handles h").front() == '1');
    s.x.send("x");
    CHECK(test::signalled(s.a));
}

SHAREDSOCK_CHILD_ROLE(forks and lets its child speak)
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    std::vector<ss::shared_socket> sockets;
    ss::event_object ready;
    pid_t child = -1;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return 99;
    test::line_channel to_child(ends[0], ends[0]), to_parent(ends[1], ends[1]);
    const auto counts = [&] {
        std::string text;
        for (const auto& one : sockets)
            text += (text.empty() ? "" : " ") + std::to_string(one.handles().size());
        return text;
    };
    const auto owner = [&] {
        const auto now = sockets.at(0).registration();
        return now ? to_string(now->owner) : std::string("nobody");
    };
    return role.serve({
        {"self", [&](const std::string&) { return to_string(segment.self()); }},
        {"redeem",
         [&](const std::string& text) {
             sockets.push_back(ss::shared_socket::redeem(segment, ss::ticket::from_text(text)));
             return "ok";
         }},
        {"register",
         [&](const std::string&) {
             sockets.at(0).event_select(ready, ss::network_event::read);
             return "ok";
         }},
        {"wait", [&](const std::string&) { return ready.wait(test::patience) ? "yes" : "no"; }},
        {"enum",
         [&](const std::string&) {
             return sockets.at(0).enum_network_events(ready).has(ss::network_event::read) ? "read" : "none";
         }},
        {"counts", [&](const std::string&) { return counts(); }},
        {"owner", [&](const std::string&) { return owner(); }},
        {"close",
         [&](const std::string&) {
             sockets.at(0).close();
             return "ok";
         }},
        {"fork",
         [&](const std::string&) {
             child = ::fork();
             if (child != 0) return "ok";
             while (const auto command = to_parent.read()) {
                 if (*command == "end") break;
                 if (*command == "self") to_parent.write(to_string(segment.self()));
                 if (*command == "owner") to_parent.write(owner());
                 if (*command == "sig") to_parent.write(ready.is_set() ? "yes" : "no");
                 if (*command == "send") to_parent.write(std::to_string(sockets.at(0).send("late")));
             }
             ::_exit(0);
         }},
        {"child",
         [&](const std::string& command) {
             to_child.write(command);
             if (command != "end") return to_child.read(test::deadline()).value();
             int status = -1;
             ::waitpid(child, &status, 0);
             return std::string(status == 0 ? "ok" : "killed");
         }},
    });
}

TEST_CASE("a forked child has counted descriptors and owns nothing", "[DUP-17]")
{
    test::scratch_segment segment;
    test::connection c(segment, AF_INET);
    test::connection second(segment, AF_UNIX);
    test::child_process a("forks and lets its child speak", {segment.name()});
    a.wait_for("ready");
    const ss::process_id id = segment->find_process(a.pid()).value();
    REQUIRE(a.ask("redeem " + c.socket.duplicate(id).to_text()) == "ok");
    REQUIRE(a.ask("redeem " + second.socket.duplicate(id).to_text()) == "ok");
    REQUIRE(a.ask("register") == "ok");
    REQUIRE(a.ask("counts") == "2 2");

    REQUIRE(a.ask("fork") == "ok");
    CHECK(a.ask("counts") == "3 3"); // when fork has returned
    CHECK(a.ask("child self") != a.ask("self"));
    c.say("x");
    CHECK(a.ask("wait") == "yes");
    CHECK(a.ask("enum") == "read");
    CHECK(a.ask("child sig") == "no");
    CHECK(a.ask("child owner") == a.ask("self"));
    c.socket.close();
    CHECK(a.ask("close") == "ok");
    CHECK(a.ask("child owner") == "nobody");
    CHECK(a.ask("child send") == "4");
    test::plain_socket x(std::exchange(c.peer, -1));
    CHECK(x.receive(4) == "late");

    CHECK(second.socket.handles().size() == 3);
    CHECK(a.ask("child end") == "ok");
    CHECK(segment->sweep() == 1);
    CHECK(second.socket.handles().size() == 2);
    CHECK(x.was_reset()); // the byte that X had sent was never read: the last descriptor has gone
}

TEST_CASE("all descriptors of the library are close-on-exec", "[DUP-17]")
{
    stream_of_a_and_b s(either_kind());
    CHECK(s.a.ask("close_on_exec h") == "yes");
    CHECK(s.b.ask("close_on_exec h") == "yes");
    s.b.ask("publish h name");
    REQUIRE(s.c.ask("open_published h name") == "ok");
    CHECK(s.c.ask("close_on_exec h") == "yes");
    REQUIRE(s.a.ask("listener l") != "");
    auto x = test::plain_socket::connect(port_of(s.a.ask("local l")));
    REQUIRE(s.a.ask("accept l s") == "ok");
    CHECK(s.a.ask("close_on_exec s") == "yes");
}

TEST_CASE("close cancels the calls of its own process, and of no other", "[DUP-18]")
{
    stream_of_a_and_b s(either_kind());
    SECTION("that receive")
    {
        REQUIRE(s.a.ask("start t receive h 1") == "ok");
        REQUIRE(s.b.ask("start t receive h 1") == "ok");
        REQUIRE(test::eventually(
            [&] { return a_thread_waits(s.a.process().pid()) && a_thread_waits(s.b.process().pid()); }));
        CHECK(s.a.ask("close h") == "ok");
        CHECK(s.a.ask("join t") == "error: operation_canceled");
        CHECK(s.x.quiet());
        CHECK(s.b.ask("running t") == "yes");
        s.x.send("x");
        CHECK(s.b.ask("join t") == "\"x\"");
    }
    SECTION("that send")
    {
        const std::string much = "20000000";
        REQUIRE(s.a.ask("start t send_many h " + much) == "ok");
        REQUIRE(test::eventually([&] { return a_thread_waits(s.a.process().pid()); }));
        REQUIRE(s.b.ask("start t send_many h " + much) == "ok");
        REQUIRE(test::eventually([&] { return a_thread_waits(s.b.process().pid()); }));
        CHECK(s.a.ask("close h") == "ok");
        const std::string first = s.a.ask("join t");
        const std::size_t taken = first == "error: operation_canceled" ? 0 : std::stoul(first);
        CHECK(taken < std::stoul(much));
        CHECK(s.b.ask("running t") == "yes");
        const std::size_t total = taken + std::stoul(much);
        CHECK(s.x.receive(total).size() == total);
        CHECK(s.b.ask("join t") == much);
    }
}

TEST_CASE("close cancels a call that waits for a connection", "[DUP-18]")
{
    three_processes s;
    const std::uint16_t port = port_of(s.a.ask("listener l"));
    REQUIRE(test::share(s.a, "l", s.b) == "ok");
    REQUIRE(s.a.ask("start t accept l s") == "ok");
    REQUIRE(s.b.ask("start t accept l s") == "ok");
    REQUIRE(
        test::eventually([&] { return a_thread_waits(s.a.process().pid()) && a_thread_waits(s.b.process().pid()); }));
    CHECK(s.a.ask("close l") == "ok");
    CHECK(s.a.ask("join t") == "error: operation_canceled");
    CHECK(s.b.ask("running t") == "yes");
    auto x = test::plain_socket::connect(port);
    CHECK(s.b.ask("join t") == "ok");
}

// --- beyond the rules ---------------------------------------------------------------------------------------------------

TEST_CASE("a ticket for a process that has not attached waits with its source", "[DUP-3][G9]")
{
    stream_of_a s;
    test::scratch_segment elsewhere;
    peer late{elsewhere.name()}; // of this segment it is no member yet
    const std::string ticket = s.a.ask("duplicate h " + late.pid() + " pid");
    REQUIRE(ticket.size() == 128);
    CHECK(refused(s.b.ask("redeem h " + ticket), "ticket_wrong_process"));
    REQUIRE(late.ask("attach " + s.segment.name()) == "ok");
    CHECK(late.ask("redeem h " + ticket) == "ok"); // by ptrace rights; else the source would have to serve
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(late.ask("send h late") == "4");
    CHECK(s.x.receive(4) == "late");
}

TEST_CASE("a full mailbox is an error, loses nothing, and has room again when it is read", "[fault-43]")
{
    test::scratch_segment home({.sockets = 8, .processes = 4, .handles = 2'000});
    test::connection pair(home);
    peer b{home.name()};
    const ss::process_id target = home->find_process(b.process().pid()).value();
    std::vector<ss::ticket> tickets;
    ss::error_code ec;
    while (tickets.size() < 1'500) {
        const ss::ticket one = pair.socket.duplicate(target, ec);
        if (ec) break;
        tickets.push_back(one);
    }
    CHECK(ec == ss::errc::mailbox_full);
    CHECK(pair.socket.handles().size() == tickets.size() + 1);
    REQUIRE(b.ask("redeem h0 " + tickets.front().to_text()) == "ok");
    CHECK_NOTHROW(tickets.push_back(pair.socket.duplicate(target)));
    CHECK(b.ask("redeem h1 " + tickets.back().to_text()) == "ok");
    CHECK(b.ask("redeem h2 " + tickets[1].to_text()) == "ok");
}

TEST_CASE("a published socket is opened by name from any live holder, also when another has died", "[fault-19]")
{
    stream_of_a_and_b s;
    REQUIRE(s.a.ask("publish h line") == "ok");
    s.a.process().kill(SIGKILL);
    s.a.process().wait();
    peer c{s.segment.name()};
    REQUIRE(c.ask("open_published h line") == "ok");
    CHECK(c.ask("send h c") == "1");
    CHECK(s.x.receive(1) == "c");
    REQUIRE(s.b.ask("close h") == "ok");
    REQUIRE(c.ask("close h") == "ok");
    s.b.ask("sweep");
    CHECK(c.ask("open_published h line").find("error: no_such_file_or_directory") == 0);
}
