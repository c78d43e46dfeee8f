// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A forked child for which there is no room in the segment's tables: its errors, and the calls that tell them.
#include "base/descriptor_claims.hpp"
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>
#include <sharedsock/prefork.hpp>

#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace ss   = sharedsock;
namespace asio = boost::asio;
namespace pf   = sharedsock::prefork;

namespace {

// Opens listeners until the table has room for `left` more handles.
std::vector<ss::shared_socket> fill(const ss::segment& home, std::uint32_t handles, std::uint32_t left, std::uint32_t open = 0)
{
    std::vector<ss::shared_socket> all;
    while (all.size() + open + left < handles)
        all.push_back(ss::shared_socket::open(home, AF_INET, SOCK_STREAM));
    return all;
}

} // namespace

SHAREDSOCK_CHILD_ROLE(forks with a full handle table)
{
    test::kill_children_that_hang();
    test::scratch_segment home({.sockets = 64, .processes = 8, .handles = 32});
    asio::io_context io;
    test::connection pair(home), select(home);
    ss::stream stream(io, std::move(pair.socket));
    std::array<char, 8> room{};
    std::optional<ss::error_code> ended;
    stream.async_read_some(asio::buffer(room), [&](ss::error_code ec, std::size_t) { ended = ec; });
    io.poll();
    const auto rest = fill(*home, 32, 0, 2);
    io.notify_fork(asio::execution_context::fork_prepare);
    role.say(std::to_string(test::in_forked_child([&](test::child_facts& all) {
        try {
            io.notify_fork(asio::execution_context::fork_child);
        } catch (const ss::system_error&) {
            all.expect(false);
            return;
        }
        all.expect(true); // 1: every descriptor is there
        io.restart();
        io.poll();
        all.expect(ended == ss::errc::registration_cancelled); // 2
        ss::error_code ec;
        select.socket.local_address(ec);
        all.expect(ec == ss::errc::handle_table_full); // 3
        ss::event_object ready;
        select.socket.event_select(ready, ss::network_event::read, {}, ec);
        all.expect(ec == ss::errc::handle_table_full); // 4
        select.socket.send(std::as_bytes(std::span("x")), 0, ec);
        all.expect(ec == ss::errc::handle_table_full); // 5
        ss::async_select(
            select.socket, io.get_executor(), [](const ss::event_message&) {}, ss::network_event::read, {}, ec);
        all.expect(ec == ss::errc::handle_table_full); // 6
        ended.reset();
        stream.async_read_some(asio::buffer(room), [&](ss::error_code why, std::size_t) { ended = why; });
        io.restart();
        io.poll();
        all.expect(ended == ss::errc::handle_table_full); // 7
        all.expect(static_cast<bool>(home->self()));      // 8: a member all the same
    })));
    io.notify_fork(asio::execution_context::fork_parent);
    pair.say("x");
    ended.reset();
    io.restart();
    while (!ended)
        io.run_one();
    role.say(*ended ? "the parent's read failed" : "the parent reads");
    return 0;
}

TEST_CASE("a forked child whose handles find no room says that the table is full, and its parent goes on", "[DUP-17][fault-87]")
{
    test::child_process forks("forks with a full handle table");
    CHECK(forks.line() == "0");
    CHECK(forks.line() == "the parent reads");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks with a full process table)
{
    test::kill_children_that_hang();
    test::scratch_segment home({.sockets = 8, .processes = 1});
    test::connection pair(home);
    role.say(std::to_string(test::in_forked_child([&](test::child_facts& all) {
        ss::error_code ec;
        pair.socket.local_address(ec);
        all.expect(ec == ss::errc::process_table_full); // 1
        home->publish("name", pair.socket, ec);
        all.expect(!!ec);          // 2
        all.expect(!home->self()); // 3
    })));
    role.say(pair.socket.send("x") == 1 ? "the parent goes on" : "the parent has lost its handle");
    return 0;
}

TEST_CASE("a forked child that is no member says that the process table is full", "[DUP-17][fault-87]")
{
    test::child_process forks("forks with a full process table");
    CHECK(forks.line() == "0");
    CHECK(forks.line() == "the parent goes on");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(starts workers with a full handle table)
{
    test::scratch_segment home({.sockets = 64, .processes = 8, .handles = 32});
    const auto all = fill(*home, 32, 16);
    pf::options how;
    how.workers       = 1;
    how.limit.deaths  = 2;
    how.respawn.first = std::chrono::milliseconds(1);
    std::string reason;
    how.on_change = [&](const pf::worker_status& seen) {
        if (seen.state == pf::worker_state::ended) reason = seen.reason;
    };
    const auto rest = fill(*home, 32, 8, 16);
    pf::supervisor workers(how, [](pf::worker& self) {
        self.ready();
        self.wait_for_drain();
        return 0;
    });
    workers.start();
    ss::error_code ec;
    workers.wait_ready(std::chrono::seconds(60), ec);
    role.say(ec == ss::errc::workers_keep_dying ? reason : "not " + ec.message());
    return 0;
}

TEST_CASE("a worker for whose handles there is no room does not start, and the reason names the table and the option",
          "[DUP-17][fault-87]")
{
    test::child_process starts("starts workers with a full handle table");
    const std::string reason = starts.line();
    CHECK(reason == "the worker has 8 of the 24 handles that its supervisor holds: the segment's handle table is full; create the "
                    "segment with segment_options::handles above 32");
    CHECK(starts.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks after a doubt about its descriptors)
{
    test::kill_children_that_hang();
    test::scratch_segment home({.sockets = 64, .processes = 8, .handles = 32});
    test::connection pair(home);
    ss::event_object ready;
    pair.socket.event_select(ready, ss::network_event::read);
    const int to_serve = home->native_handle(), to_receive = ss::hand_over_handle(*home);
    ss::detail::descriptor_claims::doubt(); // as after other code has closed a descriptor of another object
    role.say(std::to_string(test::in_forked_child([&](test::child_facts& all) {
        ss::error_code ec;
        pair.socket.event_select(ready, ss::network_event::read, {}, ec);
        all.expect(!ec);
        pair.say("x");
        all.expect(ready.wait(std::chrono::seconds(60)));
        all.expect(home->native_handle() == to_serve); // a loop of the program may know these numbers
        all.expect(ss::hand_over_handle(*home) == to_receive);
    })));
    return 0;
}

TEST_CASE("event objects work in a forked child though its parent once doubted its descriptors", "[DUP-17][fault-96]")
{
    test::child_process forks("forks after a doubt about its descriptors");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}
