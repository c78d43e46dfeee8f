// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A forked child could not count its handles, because a stopped process held the lock that this needs; then that process goes on.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "base/ranked_mutex.hpp"
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace ss     = sharedsock;
namespace asio   = boost::asio;
namespace detail = sharedsock::detail;
using namespace std::chrono_literals;

namespace {

// A second attachment of this process plays the process that is stopped with the lock of the socket.
struct scene {
    test::scratch_segment home{{.sockets = 8, .processes = 4, .handles = 32, .patience = 20ms}};
    ss::segment elsewhere = ss::segment::open(home.name(), home.options());
    test::connection pair{home};
    const std::uint32_t index = pair.socket.impl()->socket().index;
    int told[2], go[2];
    std::optional<detail::membership::slot_guard> locked;

    scene()
    {
        if (::pipe(told) != 0 || ::pipe(go) != 0) throw std::runtime_error("no pipe");
    }

    void lock()
    {
        ss::error_code ec;
        locked.emplace(*elsewhere.attachment()->member(), index, ec);
        detail::lock_ranks::released(detail::lock_rank::robust_lock); // the lock is the other process's, not this thread's
        if (ec) throw ss::system_error(ec);
    }

    // In the child: from here on the lock is free.
    void wait_until_unlocked()
    {
        char one = 0;
        if (::write(told[1], "t", 1) != 1 || ::read(go[0], &one, 1) != 1) ::_exit(98);
    }

    // Forks while the lock is held. Then, before the child goes on, `between` runs in the parent.
    template <class InChild, class Between>
    std::string fork(InChild run, Between between)
    {
        lock();
        const pid_t child = ::fork();
        if (child == 0) {
            test::child_facts all;
            run(all);
            ::_exit(all.first_wrong());
        }
        char one = 0;
        if (::read(told[0], &one, 1) != 1) return "the child has ended with " + std::to_string(test::ended(child));
        locked.reset();
        between();
        if (::write(go[1], "g", 1) != 1) return "no pipe";
        return std::to_string(test::ended(child));
    }
};

} // namespace

SHAREDSOCK_CHILD_ROLE(forks while a handle cannot be counted)
{
    test::kill_children_that_hang();
    scene s;
    role.say(s.fork(
        [&](test::child_facts& all) {
            ss::error_code ec;
            s.pair.socket.local_address(ec);
            all.expect(ec == ss::errc::lock_timeout); // 1
            s.wait_until_unlocked();
            std::vector<std::thread> threads; // 2: each of them finds the handle open, and one of them has counted it
            std::array<bool, 4> opened{};
            for (bool& one : opened)
                threads.emplace_back([&] { one = s.pair.socket.is_open(); });
            for (std::thread& one : threads)
                one.join();
            all.expect(opened == std::array{true, true, true, true});
            all.expect(s.pair.socket.handles().size() == 2); // 3: the parent's and this process's
            all.expect(s.pair.socket.native_handle() >= 0);  // 4
            all.expect(s.pair.socket.send("late") == 4);     // 5
            ss::event_object ready;
            s.pair.socket.event_select(ready, ss::network_event::write);
            all.expect(ready.is_set()); // 6
            s.pair.socket.close(ec);
            all.expect(!ec); // 7
        },
        [] {}));
    role.say(std::to_string(s.pair.socket.handles().size()) + " handle is left");
    return 0;
}

TEST_CASE("a handle that a forked child could not count for a time is counted by the child's next call", "[DUP-17][fault-157]")
{
    test::child_process forks("forks while a handle cannot be counted");
    CHECK(forks.line() == "0");
    CHECK(forks.line() == "1 handle is left");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks while a handle cannot be counted and closes its own)
{
    test::kill_children_that_hang();
    scene s;
    role.say(s.fork(
        [&](test::child_facts& all) {
            s.wait_until_unlocked();
            ss::error_code ec;
            for (int call = 0; call < 2; ++call) {
                s.pair.socket.send(std::as_bytes(std::span("x")), 0, ec);
                all.expect(ec == ss::errc::closed_handle); // 1, 2: and not "try again"
            }
            auto own = ss::shared_socket::open(*s.home, AF_INET, SOCK_STREAM, 0, ec); // in the slot that is free now
            all.expect(!ec && !s.pair.socket.is_open());                              // 3
        },
        [&] { s.pair.socket.close(); }));
    return 0;
}

TEST_CASE("a handle that was not counted when the socket's last handle closed says closed_handle", "[DUP-17][fault-157]")
{
    test::child_process forks("forks while a handle cannot be counted and closes its own");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks while a stream cannot be counted)
{
    test::kill_children_that_hang();
    scene s;
    asio::io_context io;
    ss::stream stream(io, std::move(s.pair.socket));
    role.say(s.fork(
        [&](test::child_facts& all) {
            io.notify_fork(asio::execution_context::fork_child);
            std::array<char, 8> room{};
            std::optional<ss::error_code> ended;
            std::size_t count = 0;
            const auto read   = [&] {
                ended.reset();
                stream.async_read_some(asio::buffer(room), [&](ss::error_code ec, std::size_t got) { ended = ec, count = got; });
                io.restart();
                while (!ended)
                    io.run_one();
            };
            read();
            all.expect(ended == ss::errc::lock_timeout); // 1
            s.wait_until_unlocked();
            s.pair.say("x");
            read();
            all.expect(!*ended && count == 1); // 2
            all.expect(stream.owns_events());  // 3
        },
        [] {}));
    return 0;
}

TEST_CASE("a stream that a forked child could not count for a time is counted by the next read", "[DUP-17][fault-157]")
{
    test::child_process forks("forks while a stream cannot be counted");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks while it cannot become a member)
{
    test::kill_children_that_hang();
    scene s; // there are four places; each of the two attachments needs one
    static_cast<void>(test::in_forked_child([](test::child_facts&) {})); // its places, the last two, have to be swept
    role.say(s.fork(
        [&](test::child_facts& all) {
            ss::error_code ec;
            s.pair.socket.local_address(ec);
            all.expect(ec == ss::errc::lock_timeout); // 1
            all.expect(!s.home->self());              // 2
            s.wait_until_unlocked();
            all.expect(s.pair.socket.send("late") == 4);     // 3
            all.expect(static_cast<bool>(s.home->self()));   // 4
            all.expect(s.pair.socket.handles().size() == 2); // 5
        },
        [] {}));
    return 0;
}

TEST_CASE("a forked child that could not become a member for a time is one at its next call", "[DUP-17][fault-157]")
{
    test::child_process forks("forks while it cannot become a member");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}
