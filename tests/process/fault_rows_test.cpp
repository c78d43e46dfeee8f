// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Rows of docs/faults.md that have no file of their own.
#include "conformance/shared_connection.hpp"
#include "store/liveness_lock.hpp"
#include "store/segment_file.hpp"
#include "support/role.hpp"
#include "support/skip.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss     = sharedsock;
namespace detail = sharedsock::detail;
using test::peer;
using test::share;
using test::word;

/// args: a lock file, a byte. Holds the byte, and is no process of the segment.
SHAREDSOCK_CHILD_ROLE("holds a byte and nothing else")
{
    const int file = ::open(role.args.at(0).c_str(), O_RDWR | O_CLOEXEC);
    struct flock byte {};
    byte.l_type  = F_WRLCK;
    byte.l_start = std::stol(role.args.at(1));
    byte.l_len   = 1;
    role.say(::fcntl(file, F_SETLK, &byte) == 0 ? "held" : "not held");
    role.hear();
    return 0;
}

TEST_CASE("a holder of an index's byte that is no process keeps one place, and nothing else", "[fault-69]")
{
    test::scratch_segment segment({.sockets = 4, .processes = 3});
    const std::string place = "/dev/shm/sharedsock." + std::to_string(::geteuid()) + "." + segment.name();
    test::child_process squatter("holds a byte and nothing else", {place + "/life.0", "1"});
    squatter.wait_for("held");
    ss::segment second = ss::segment::open(segment.name());
    CHECK(second.self().index == 2);
    ss::error_code ec;
    ss::segment::open(segment.name(), {}, ec);
    CHECK(ec == ss::errc::process_table_full);
    const test::connection one(segment);
    const auto other = ss::shared_socket::redeem(second, one.socket.duplicate(second.self()));
    CHECK(other.is_open());
    CHECK(segment->sweep() == 0);
    squatter.kill(SIGKILL);
    squatter.wait();
    CHECK(ss::segment::open(segment.name()).self().index == 1);
}

TEST_CASE("zeros in the place of a segment in use are errors in every call, and close what was open", "[fault-58][G10]")
{
    test::scratch_segment segment;
    test::connection one(segment);
    ss::event_object ready;
    one.socket.event_select(ready, ss::network_event::read);
    ss::error_code ec;
    const auto file = detail::segment_file::open(segment.name(), segment.options(), ec);
    REQUIRE_FALSE(ec);
    const auto size = static_cast<off_t>(file->plan().size_bytes);
    REQUIRE(::fallocate(file->memory(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) == 0);

    one.socket.event_select(ready, ss::network_event::read, {}, ec);
    CHECK(ec == ss::errc::segment_damaged);
    (void)one.socket.duplicate(segment->self(), ec);
    CHECK(ec);
    one.socket.enum_network_events(&ready, ec);
    CHECK(ec == ss::errc::segment_damaged);
    CHECK_NOTHROW(segment->poll());
    CHECK_NOTHROW(segment->sweep());
    (void)ss::segment::open(segment.name(), segment.options(), ec);
    CHECK(ec == ss::errc::not_a_segment);
    const int descriptor = one.socket.native_handle();
    one.socket.close(ec);
    CHECK(::fcntl(descriptor, F_GETFD) == -1);
}

TEST_CASE("an exception out of a handler ends its delivery and nothing else", "[fault-31]")
{
    test::scratch_segment segment;
    test::connection one(segment);
    boost::asio::io_context io;
    const auto work = boost::asio::make_work_guard(io);
    int calls       = 0;
    const auto fail = [&](const ss::event_message&) {
        ++calls;
        throw std::runtime_error("the handler's");
    };
    ss::async_select(one.socket, io.get_executor(), fail, ss::network_event::read);
    for (int round = 1; round <= 2; ++round) {
        one.say("x");
        CHECK_THROWS_AS(io.run(), std::runtime_error);
        CHECK(calls == round);
        CHECK_FALSE(one.socket.registration()->delivering);
        std::byte room[1];
        CHECK(one.socket.receive(room) == 1);
    }
    ss::segment other = ss::segment::open(segment.name());
    auto again        = ss::shared_socket::redeem(other, one.socket.duplicate(other.self()));
    ss::event_object ready;
    CHECK_NOTHROW(again.event_select(ready, ss::network_event::read)); // the fence is open at once
}

TEST_CASE("processes in different network namespaces share a socket", "[fault-37]")
{
    test::shared_connection s;
    peer elsewhere(s.segment.name());
    const std::string moved = elsewhere.ask("network new");
    if (moved != "yes") {
        test::skip("this process may not make a network of its own");
        return;
    }
    REQUIRE(share(s.a, "h", elsewhere) == "ok");
    REQUIRE(elsewhere.ask("event e") == "ok");
    REQUIRE(elsewhere.ask("event_select h e read") == "ok");
    CHECK(word(s.b.ask("query h"), "owner") == elsewhere.ask("self"));
    s.x.send("data");
    CHECK(test::signalled(elsewhere));
    CHECK(elsewhere.ask("receive h 4") == "\"data\"");
    REQUIRE(s.b.ask("event_select h e read") == "ok"); // B hears its doorbell there, and this process its own here
    CHECK(word(elsewhere.ask("query h"), "owner") == s.b.ask("self"));
}

TEST_CASE("no file of the library but those that note times for people reads a clock that can be set", "[fault-39]")
{
    std::set<std::string> readers;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(SHAREDSOCK_SOURCES)) {
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) {
            line.resize(std::min(line.size(), line.find("//")));
            if (line.find("system_clock") != line.npos || line.find("CLOCK_REALTIME") != line.npos)
                readers.insert(entry.path().filename());
        }
    }
    CHECK(readers == std::set<std::string>{"wall_clock.hpp"});
}
