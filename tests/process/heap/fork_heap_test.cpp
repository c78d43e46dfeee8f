// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A forked child is inside the library's fork hook while a lock of the allocator may be held for ever, by a thread of the parent
// that was in it: so the hook takes no memory and gives none back, whatever the parent has alive.
#include "process/forking.hpp"
#include "process/heap/heap_watch.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"
#include "support/winsock_session.hpp"

#include <sharedsock/asio.hpp>
#include <sharedsock/prefork.hpp>
#include <sharedsock/turn_acceptor.hpp>

#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss    = sharedsock;
namespace asio  = boost::asio;
namespace pf    = sharedsock::prefork;
namespace watch = test::heap_watch;
using ne        = ss::network_event;

namespace {

constexpr const char* clean = "nothing made, nothing freed";

// For the line that a child writes to its parent.
std::string told(const watch::calls& seen)
{
    return seen.none() ? clean : std::to_string(seen.made) + " made, " + std::to_string(seen.freed) + " freed";
}

// Forks, and reads what the child says: it ends without destructors. Made before the descriptors run out.
class telling_child {
public:
    telling_child()
    {
        if (::pipe(ends_) != 0) throw std::runtime_error("no pipe");
    }
    template <class InChild>
    std::string line(InChild run)
    {
        const pid_t child = ::fork();
        if (child == 0) {
            const std::string said = run();
            ::_exit(::write(ends_[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
        }
        ::close(ends_[1]);
        char text[256];
        const ssize_t size = ::read(ends_[0], text, sizeof text);
        ::close(ends_[0]);
        const int code = test::ended(child);
        return code == 0 && size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "ended with " + std::to_string(code);
    }

private:
    int ends_[2];
};

std::string told_by_child()
{
    return telling_child().line([] { return told(watch::seen()); });
}

int epoll() { return ::epoll_create1(EPOLL_CLOEXEC); }

// One of all things that a fork has to deal with, in a process with two attachments: each is another process to the other.
struct everything {
    test::scratch_segment home{{.sockets = 64, .processes = 16, .handles = 96}};
    ss::segment again = ss::segment::open(home.name(), home.options());
    asio::io_context io;

    // registrations and standbys of event objects, and a handler; each watches for the death of the other attachment
    test::connection owned{home}, awaited{home}, selected{home}, changes{home, AF_INET};
    ss::shared_socket shares  = ss::shared_socket::redeem(again, owned.socket.duplicate(again.self()));
    ss::shared_socket follows = ss::shared_socket::redeem(again, awaited.socket.duplicate(again.self()));
    ss::event_object ready, next, of_again;
    std::optional<ss::event_object> gone{std::in_place};

    // Asio objects with operations that are pending
    test::connection read{home}, waits{home}, datagrams{home, AF_UNIX, SOCK_DGRAM};
    ss::stream stream{io, std::move(read.socket)};
    ss::shared_socket owns_first = ss::shared_socket::redeem(again, waits.socket.duplicate(again.self()));
    ss::stream stands_by{io, std::move(waits.socket)};
    ss::datagram datagram{io, std::move(datagrams.socket)};
    ss::shared_socket listener = listen();
    ss::shared_socket at_door  = ss::shared_socket::redeem(again, listener.duplicate(again.self()));
    ss::acceptor in_turn{io, std::move(listener)};
    ss::acceptor registers{io.get_executor(), listen(), ss::by_registration};
    std::array<char, 8> room{};

    // accepting in turn in a loop of the program's own
    int loop = epoll();
    ss::turn_acceptor turns{std::move(at_door)};

    std::shared_ptr<void> serving;
    std::vector<ss::ticket> tickets;

    everything()
    {
        const auto nothing = [](auto&&...) {};
        owned.socket.event_select(ready, ne::read | ne::close);
        shares.stand_by(of_again, ne::read);
        follows.event_select(of_again, ne::read);
        awaited.socket.stand_by(next, ne::read);
        changes.socket.event_select(ready, ne::routing_interface_change);
        ss::async_select(selected.socket, io.get_executor(), nothing, ne::read);
        owns_first.event_select(of_again, ne::read);
        stream.async_read_some(asio::buffer(room), nothing);
        stands_by.async_read_some(asio::buffer(room), nothing);
        datagram.async_receive(asio::buffer(room), nothing);
        turns.stand_by(loop, 1, 2);
        in_turn.async_accept(nothing);
        registers.async_accept(nothing);
        ss::async_receive_hand_over(*home, io.get_executor(), nothing);
        serving = ss::serve(*home, io.get_executor());
        static_cast<void>(again.native_handle());
        static_cast<void>(ss::hand_over_handle(again));
        leave_messages();
        io.poll();
        end_others();
    }

    ss::shared_socket listen() { return ss::shared_socket::listen(*home, ss::socket_address::loopback(0)); }

    // Tickets and hand-overs that their receiver has read and no call has taken, and tickets to a process that is not attached.
    void leave_messages()
    {
        const std::vector<std::byte> bytes(1000);
        test::connection to_again(home), to_home(again);
        ss::hand_over_unacknowledged(std::move(to_again.socket), again.self(), {bytes, 1});
        ss::hand_over_unacknowledged(std::move(to_home.socket), home->self(), {bytes, 2});
        tickets.push_back(owned.socket.duplicate(again.self()));
        tickets.push_back(shares.duplicate(home->self()));
        tickets.push_back(owned.socket.duplicate_for_pid(::getppid()));
        again.poll();
    }

    // Objects whose end has left something behind in the others.
    void end_others()
    {
        auto third = std::make_optional(ss::segment::open(home.name(), home.options()));
        {
            const test::connection pair(*third);
            const_cast<ss::shared_socket&>(pair.socket).event_select(ready, ne::read);
        }
        third.reset(); // `ready` still knows of the attachment
        owned.socket.event_select(*gone, ne::read);
        owned.socket.event_select(ready, ne::read);
        gone.reset();
    }
};

} // namespace

SHAREDSOCK_CHILD_ROLE(forks with a handler that uses the heap)
{
    static void* kept = std::malloc(100);
    watch::begin();
    ::pthread_atfork(nullptr, nullptr, [] {
        std::free(kept);
        kept = new int[3];
    });
    watch::end();
    role.say(told_by_child());
    return 0;
}

TEST_CASE("the watch over the heap counts the calls of handlers of fork", "[fault-156]")
{
    test::child_process forks("forks with a handler that uses the heap");
    CHECK(forks.line() == "1 made, 1 freed");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks with everything alive)
{
    const std::string how             = role.args.at(0);
    static asio::io_context* notified = nullptr;
    if (how == "notified before") // before the watch begins: Asio's own part uses the heap
        ::pthread_atfork(nullptr, nullptr, [] { notified->notify_fork(asio::execution_context::fork_child); });
    watch::begin();
    test::kill_children_that_hang();
    everything have;
    watch::end();
    notified = &have.io;
    if (how == "in a child of a child")
        role.say(telling_child().line([] { return told_by_child(); }));
    else if (how == "in a child that has worked")
        role.say(telling_child().line([&] {
            ss::event_object own;
            have.owned.socket.event_select(own, ne::read);
            have.tickets.push_back(have.owned.socket.duplicate(have.again.self()));
            return told_by_child();
        }));
    else
        role.say(told_by_child());
    return 0;
}

TEST_CASE("a forked child takes no memory in the fork hook and gives none back, whatever its parent has alive",
          "[DUP-17][fault-156]")
{
    for (const std::string how : {"plain", "notified before", "in a child of a child", "in a child that has worked"}) {
        INFO(how);
        test::child_process forks("forks with everything alive", {how});
        CHECK(forks.line() == clean);
        CHECK(forks.wait() == 0);
    }
}

SHAREDSOCK_CHILD_ROLE(forks where something fails in the child)
{
    const std::string what = role.args.at(0);
    watch::begin();
    test::kill_children_that_hang();
    everything have;
    watch::end();
    telling_child child;
    std::vector<ss::shared_socket> rest;
    std::vector<ss::segment> members;
    ss::error_code ec;
    if (what == "handles")
        while (!ec)
            rest.push_back(ss::shared_socket::open(*have.home, AF_INET, SOCK_STREAM, 0, ec));
    else if (what == "processes")
        while (!ec)
            members.push_back(ss::segment::open(have.home.name(), have.home.options(), ec));
    else if (what == "names")
        std::filesystem::remove_all("/dev/shm/sharedsock." + std::to_string(::geteuid()) + "." + have.home.name());
    else
        while (::dup(STDIN_FILENO) >= 0) {
        }
    role.say(child.line([] { return told(watch::seen()); }));
    return 0;
}

TEST_CASE("a forked child that cannot become a member, or not in all respects, uses no memory in the hook either",
          "[DUP-17][fault-156]")
{
    for (const std::string what : {"handles", "processes", "names", "descriptors"}) {
        INFO(what);
        test::child_process forks("forks where something fails in the child", {what});
        CHECK(forks.line() == clean);
        CHECK(forks.wait() == 0);
    }
}

SHAREDSOCK_CHILD_ROLE(supervises a worker that tells of the heap)
{
    watch::begin();
    everything have;
    watch::end();
    pf::options how;
    how.workers      = 1;
    how.limit.deaths = 1;
    std::string reason;
    how.on_change = [&](const pf::worker_status& seen) {
        if (seen.state == pf::worker_state::ended) reason = seen.reason;
    };
    pf::supervisor workers(how, [](pf::worker&) -> int { throw std::runtime_error(told(watch::seen())); });
    workers.start();
    ss::error_code ec;
    workers.wait_ready(std::chrono::seconds(60), ec);
    role.say(reason);
    return 0;
}

TEST_CASE("a forked worker takes no memory in the fork hook and gives none back", "[fault-156]")
{
    test::child_process supervises("supervises a worker that tells of the heap");
    CHECK(supervises.line() == clean);
    CHECK(supervises.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks with Winsock in use)
{
    watch::begin();
    const test::winsock_session session;
    const test::connected_pair pair;
    const test::ws::WSAEVENT event = test::ws::WSACreateEvent();
    test::ws::WSAEventSelect(pair.near, event, test::ws::FD_READ);
    test::ws::WSAPROTOCOL_INFO info{}; // a thread serves from here on
    if (test::ws::WSADuplicateSocket(pair.near, static_cast<test::ws::DWORD>(::getppid()), &info) != 0) return 99;
    watch::end();
    role.say(told_by_child());
    return 0;
}

TEST_CASE("a forked child of a Winsock program takes no memory in the fork hook and gives none back", "[fault-156]")
{
    test::child_process forks("forks with Winsock in use");
    CHECK(forks.line() == clean);
    CHECK(forks.wait() == 0);
}
