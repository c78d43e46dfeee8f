// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Operations that are pending at a fork stay the parent's, whether they have reached the reactor or not; notify_fork and the
// library's hook come in either order.
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss   = sharedsock;
namespace asio = boost::asio;
using ne       = ss::network_event;

namespace {

asio::io_context* notified_in_handlers = nullptr; // by atfork handlers of the program

void notify(asio::execution_context::fork_event event)
{
    if (notified_in_handlers != nullptr) notified_in_handlers->notify_fork(event);
}

// "around": the program calls notify_fork before and after fork(2). "before", "after": atfork handlers call it, registered
// before or after the library's.
void register_handlers()
{
    ::pthread_atfork([] { notify(asio::execution_context::fork_prepare); }, [] { notify(asio::execution_context::fork_parent); },
                     [] { notify(asio::execution_context::fork_child); });
}

struct forker {
    const std::string order;

    explicit forker(std::string when) : order(std::move(when))
    {
        test::kill_children_that_hang();
        if (order == "before") register_handlers();
    }
    void attached()
    {
        if (order == "after") register_handlers();
    }
    pid_t fork(asio::io_context& io) const
    {
        if (order != "around") {
            notified_in_handlers = &io;
            return ::fork();
        }
        io.notify_fork(asio::execution_context::fork_prepare);
        const pid_t child = ::fork();
        io.notify_fork(child == 0 ? asio::execution_context::fork_child : asio::execution_context::fork_parent);
        return child;
    }
};

constexpr const char* orders[] = {"around", "before", "after"};

} // namespace

SHAREDSOCK_CHILD_ROLE(forks with pending transfers)
{
    forker how(role.args.at(0));
    const bool begun = role.args.at(1) == "begun";
    test::scratch_segment home;
    how.attached();
    asio::io_context io;
    test::connection quiet(home), ready(home);
    ss::stream waits(io, std::move(quiet.socket)), has(io, std::move(ready.socket));
    ready.say("posted");
    std::array<char, 8> room{}, more{};
    std::optional<ss::error_code> waited, had;
    std::size_t count = 0;
    waits.async_read_some(asio::buffer(room), [&](ss::error_code ec, std::size_t) { waited = ec; });
    has.async_read_some(asio::buffer(more), [&](ss::error_code ec, std::size_t got) { had = ec, count = got; }); // done, not told
    if (begun) io.poll_one();
    const bool told   = had.has_value();
    const pid_t child = how.fork(io);
    if (child == 0) {
        test::child_facts all;
        io.restart();
        io.poll();
        all.expect(waited == ss::errc::registration_cancelled);                      // 1
        all.expect(told || (had == ss::errc::registration_cancelled && count == 0)); // 2: not the parent's bytes once more
        std::array<char, 8> own{};
        std::size_t got = 0;
        waits.async_read_some(asio::buffer(own), [&](ss::error_code, std::size_t size) { got = size; });
        io.restart();
        io.poll();
        quiet.say("child");
        while (got == 0)
            io.run_one();
        all.expect(got == 5 && own[0] == 'c' && room[0] == 0); // 3: into the child's buffer
        ::_exit(all.first_wrong());
    }
    role.say(std::to_string(test::ended(child)));
    io.restart();
    while (!had)
        io.run_one();
    while (!waited)
        io.run_one();
    role.say(!*had && count == 6 && *waited == ss::errc::registration_cancelled ? "the parent has its own" : "wrong");
    return 0;
}

TEST_CASE("reads that are pending at a fork, or done and not told, are told to the parent alone", "[DUP-17][fault-84]")
{
    for (const std::string order : orders)
        for (const std::string moment : {"posted", "begun"}) {
            test::child_process forks("forks with pending transfers", {order, moment});
            CHECK(forks.line() == "0");
            CHECK(forks.line() == "the parent has its own");
            CHECK(forks.wait() == 0);
        }
}

SHAREDSOCK_CHILD_ROLE(forks without a word to Asio)
{
    test::kill_children_that_hang();
    test::scratch_segment home;
    asio::io_context io;
    test::connection pair(home);
    ss::stream stream(io, std::move(pair.socket));
    std::array<char, 8> room{};
    std::optional<ss::error_code> ended;
    stream.async_read_some(asio::buffer(room), [&](ss::error_code ec, std::size_t) { ended = ec; });
    io.poll();
    role.say(std::to_string(test::in_forked_child([&](test::child_facts& all) {
        std::array<char, 8> own{};
        std::size_t got = 0;
        const auto read = [&] { // as after an exception; the first one tells that the registration is the parent's
            stream.async_read_some(asio::buffer(own), [&](ss::error_code, std::size_t size) { got = size; });
        };
        read();
        io.poll();
        if (got == 0) read();
        pair.say("once");
        while (got == 0)
            io.run_one();
        all.expect(got == 4 && room[0] == 0); // the inherited read, which is first in the reactor's queue, has taken nothing
    })));
    return 0;
}

TEST_CASE("an inherited read takes no byte from the child's own reads, though notify_fork did not end it", "[DUP-17][fault-84]")
{
    test::child_process forks("forks without a word to Asio");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks while it hands over)
{
    forker how(role.args.at(0));
    test::scratch_segment home;
    const ss::segment target = ss::segment::open(home.name(), home.options());
    how.attached();
    asio::io_context io;
    test::connection pair(home);
    std::optional<ss::error_code> given;
    ss::async_hand_over(pair.socket, target.self(), {{}, 77}, io.get_executor(), [&](ss::error_code ec) { given = ec; });
    const pid_t child = how.fork(io);
    if (child == 0) {
        io.poll();
        ::_exit(given == asio::error::operation_aborted ? 0 : 1);
    }
    role.say(std::to_string(test::ended(child)));
    io.restart();
    io.poll();
    int arrived = 0;
    while (auto one = ss::receive_hand_over(target))
        arrived += one->tag == 77;
    io.restart();
    io.run_for(test::patience);
    role.say(given && !*given ? std::to_string(arrived) : "not handed over");
    return 0;
}

TEST_CASE("a hand-over that is pending at a fork arrives once", "[DUP-17][fault-85]")
{
    for (const std::string order : orders) {
        test::child_process forks("forks while it hands over", {order});
        CHECK(forks.line() == "0");
        CHECK(forks.line() == "1");
        CHECK(forks.wait() == 0);
    }
}

SHAREDSOCK_CHILD_ROLE(forks with a pending receive)
{
    forker how(role.args.at(0));
    const bool begun = role.args.at(1) == "begun";
    test::scratch_segment home;
    how.attached();
    asio::io_context io;
    bool parents = false;
    ss::async_receive_hand_over(*home, io.get_executor(), [&](ss::error_code, ss::handed_over) { parents = true; });
    if (begun) io.poll();
    int told[2], done[2];
    if (::pipe(told) != 0 || ::pipe(done) != 0) return 99;
    const pid_t child = how.fork(io);
    if (child == 0) {
        std::uint64_t own = 0;
        io.restart();
        io.poll(); // the posted handlers come first
        ss::async_receive_hand_over(*home, io.get_executor(),
                                    [&](ss::error_code ec, ss::handed_over one) { own = ec ? 1 : one.tag; });
        io.poll();
        const ss::process_id self = home->self();
        if (::write(told[1], &self, sizeof self) != sizeof self) ::_exit(98);
        while (own == 0)
            io.run_one();
        ::_exit(own == 5 && !parents ? 0 : 1);
    }
    ss::process_id childs;
    if (::read(told[0], &childs, sizeof childs) != sizeof childs) return 98;
    test::connection to_child(home), to_parent(home);
    ss::hand_over_unacknowledged(std::move(to_child.socket), childs, {{}, 5});
    role.say(std::to_string(test::ended(child)));
    ss::hand_over_unacknowledged(std::move(to_parent.socket), home->self(), {{}, 6});
    io.restart();
    while (!parents)
        io.run_one();
    role.say("the parent has its own");
    return 0;
}

TEST_CASE("a receive of hand-overs that is pending at a fork takes nothing of the child's", "[DUP-17][fault-85]")
{
    for (const std::string order : orders)
        for (const std::string moment : {"posted", "begun"}) {
            test::child_process forks("forks with a pending receive", {order, moment});
            CHECK(forks.line() == "0");
            CHECK(forks.line() == "the parent has its own");
            CHECK(forks.wait() == 0);
        }
}

SHAREDSOCK_CHILD_ROLE(forks with everything on a context)
{
    forker how(role.args.at(0));
    test::scratch_segment home;
    how.attached();
    asio::io_context io;
    const auto nothing = [](auto&&...) {};
    test::connection pair(home), selected(home);
    ss::stream stream(io, std::move(pair.socket));
    auto listener = ss::shared_socket::listen(*home, ss::socket_address::loopback(0));
    auto second   = ss::shared_socket::listen(*home, ss::socket_address::loopback(0));
    const auto at = listener.local_address();
    ss::acceptor in_turn(io, std::move(listener));
    ss::acceptor registers(io.get_executor(), std::move(second), ss::by_registration);
    std::array<char, 8> room{};
    int parents = 0;
    stream.async_read_some(asio::buffer(room), nothing);
    in_turn.async_accept([&](ss::error_code ec, auto&&...) { parents += !ec; });
    registers.async_accept(nothing);
    ss::async_select(selected.socket, io.get_executor(), nothing, ne::read);
    ss::async_receive_hand_over(*home, io.get_executor(), nothing);
    auto serving = ss::serve(*home, io.get_executor());
    io.poll();
    const pid_t child = how.fork(io);
    if (child == 0) {
        test::child_facts all;
        try {
            io.restart();
            io.poll();
            serving.reset();
            serving = ss::serve(*home, io.get_executor()); // anew, as its comment says
            io.poll();
            auto to_itself = ss::shared_socket::open(*home, AF_INET, SOCK_STREAM);
            int accepted   = 0;
            in_turn.async_accept([&](ss::error_code ec, auto&&...) { accepted += !ec; });
            to_itself.connect(at);
            while (accepted == 0)
                io.run_one();
            all.expect(parents == 0); // 1: the parent's accept has taken nothing here
        } catch (const std::exception&) {
            all.expect(false);
        }
        ::_exit(all.first_wrong());
    }
    in_turn.cancel(); // the child is to be the one that accepts
    role.say(std::to_string(test::ended(child)));
    return 0;
}

TEST_CASE("notify_fork goes through all that the library has on a context, before and after the library's hook",
          "[DUP-17][fault-86]")
{
    for (const std::string order : orders) {
        test::child_process forks("forks with everything on a context", {order});
        CHECK(forks.line() == "0");
        CHECK(forks.wait() == 0);
    }
}
