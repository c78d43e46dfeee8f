// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A forked child destroys the inherited objects that it has no use for, and none of them inside the fork hook.
#include "events/local_registration.hpp"
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio.hpp>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace ss   = sharedsock;
namespace asio = boost::asio;
using ne       = ss::network_event;

namespace {

struct two_handles {
    test::scratch_segment home{{.sockets = 64, .processes = 64}};
    ss::segment again = ss::segment::open(home.name(), home.options());
    test::connection pair{home};
    ss::shared_socket other = ss::shared_socket::redeem(again, pair.socket.duplicate(again.self()));
    std::optional<ss::event_object> first{std::in_place};
    std::optional<ss::event_object> second{std::in_place};
};

int fork_after(void (*happens)(two_handles&))
{
    two_handles have;
    have.pair.socket.event_select(*have.first, ne::read);
    happens(have);
    return test::in_forked_child([&](test::child_facts& all) {
        all.expect(have.pair.socket.send("x") == 1);
        ss::event_object own;
        have.pair.socket.event_select(own, ne::write);
        all.expect(own.is_set());
    });
}

} // namespace

SHAREDSOCK_CHILD_ROLE(forks after event objects were destroyed)
{
    test::kill_children_that_hang();
    void (*const ways[])(two_handles&) = {
        [](two_handles& of) { of.first.reset(); },
        [](two_handles& of) { of.other.event_select(*of.second, ne::read), of.first.reset(); },
        [](two_handles& of) { of.pair.socket.cancel_registration(), of.first.reset(); },
        [](two_handles& of) { of.other.event_select(*of.second, ne::read), of.first.reset(), of.second.reset(); },
        [](two_handles& of) {
            of.other.event_select(*of.second, ne::read);
            of.pair.socket.stand_by(*of.first, ne::read);
            of.first.reset();
        },
        [](two_handles& of) {
            of.first->set();
            const ss::event_object moved(std::move(*of.first));
        },
    };
    for (const auto way : ways)
        role.say(std::to_string(fork_after(way)));
    return 0;
}

TEST_CASE("fork does not hang after an event object was destroyed while its socket stays open", "[DUP-17][fault-81]")
{
    test::child_process forks("forks after event objects were destroyed");
    for (int way = 0; way < 6; ++way)
        CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks while a thread makes and destroys event objects)
{
    test::kill_children_that_hang();
    test::scratch_segment home({.sockets = 64, .processes = 64});
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> rounds{0};
    std::thread works([&] {
        for (; !stop.load(); ++rounds) {
            const test::connection pair(home);
            ss::event_object ready;
            const_cast<ss::shared_socket&>(pair.socket).event_select(ready, ne::read);
        }
    });
    int wrong = 0;
    for (int left = std::stoi(role.args.at(0)); left > 0 && wrong == 0; --left)
        wrong = test::in_forked_child([&](test::child_facts& all) {
            all.expect(static_cast<bool>(home->self()));
            const ss::event_object own;
        });
    stop.store(true);
    works.join();
    role.say(wrong == 0 && rounds.load() > 0 ? "all true" : "a child ended with " + std::to_string(wrong));
    return 0;
}

TEST_CASE("fork does not hang while another thread makes and destroys event objects", "[DUP-17][fault-81]")
{
    const bool is_long = std::getenv("SHAREDSOCK_TEST_LONG") != nullptr;
    test::child_process forks("forks while a thread makes and destroys event objects", {is_long ? "5000" : "400"});
    CHECK(forks.line() == "all true");
    CHECK(forks.wait() == 0);
}

namespace {

bool in_hook           = false; // in a child: the library's hook is under way
bool destroyed_in_hook = false;
int destroyed          = 0;

struct watched_handler {
    watched_handler()                       = default;
    watched_handler(const watched_handler&) = delete;
    ~watched_handler()
    {
        ++destroyed;
        destroyed_in_hook = destroyed_in_hook || in_hook;
    }
};

} // namespace

SHAREDSOCK_CHILD_ROLE(forks while it holds handlers)
{
    ::pthread_atfork(nullptr, nullptr, [] { in_hook = true; }); // before the library's
    test::kill_children_that_hang();
    test::scratch_segment home;
    ::pthread_atfork(nullptr, nullptr, [] { in_hook = false; }); // after it
    asio::io_context io;
    test::connection pair(home);
    auto held = std::make_shared<watched_handler>();
    ss::async_select(
        pair.socket, io.get_executor(), [held = std::move(held)](const ss::event_message&) {}, ne::read);
    role.say(std::to_string(test::in_forked_child([&](test::child_facts& all) {
        all.expect(!destroyed_in_hook); // 1
        all.expect(destroyed == 0);     // 2
        pair.socket.close();
        all.expect(destroyed == 1);                      // 3: in a call of this process, not never
        all.expect(::fork() != 0 || (::_exit(0), true)); // 4: and there it may fork
    })));
    return 0;
}

TEST_CASE("no handler of the user's is destroyed inside the fork hook", "[DUP-17][fault-82]")
{
    test::child_process forks("forks while it holds handlers");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks inside a handler)
{
    test::kill_children_that_hang();
    test::scratch_segment home;
    asio::io_context io;
    const auto work = asio::make_work_guard(io); // a registration is none
    test::connection pair(home);
    int calls = 0, reads = 0, child_ended = -1;
    bool is_child      = false;
    const auto handler = [&](const ss::event_message& message) {
        if (message.event == ne::read) ++reads;
        if (++calls > 1) return;
        io.notify_fork(asio::execution_context::fork_prepare);
        const pid_t child = ::fork();
        is_child          = child == 0;
        io.notify_fork(is_child ? asio::execution_context::fork_child : asio::execution_context::fork_parent);
        if (!is_child) child_ended = test::ended(child);
    };
    ss::async_select(pair.socket, io.get_executor(), handler, ne::read | ne::write, {.tell_loss = true});
    pair.say("x"); // READ is delivered first, and WRITE by the same job
    while (calls == 0)
        io.run_one();
    if (is_child) {
        test::child_facts all;
        all.expect(pair.socket.registration() && pair.socket.registration()->owner != home->self()); // 1
        all.expect(pair.socket.registration()->delivering); // 2: the parent is still in its delivery
        io.poll();
        all.expect(calls == 1); // 3: no second event, and no word of a loss
        ::_exit(all.first_wrong());
    }
    role.say(std::to_string(child_ended));
    char byte[1];
    pair.socket.receive(std::as_writable_bytes(std::span(byte)));
    pair.say("y");
    while (reads == 1)
        io.run_one();
    role.say("the parent goes on");
    return 0;
}

TEST_CASE("a fork inside a handler leaves the delivery to the parent, and the child returns from the handler", "[DUP-17][fault-82]")
{
    test::child_process forks("forks inside a handler");
    CHECK(forks.line() == "0");
    CHECK(forks.line() == "the parent goes on");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks inside handlers while a thread uses their registration)
{
    test::kill_children_that_hang();
    test::scratch_segment home({.sockets = 8, .processes = 64});
    asio::io_context io;
    const auto work = asio::make_work_guard(io);
    test::connection pair(home);
    bool is_child = false;
    int calls = 0, child_ended = 0;
    std::atomic<unsigned> asked{0};
    const auto handler = [&](const ss::event_message&) {
        ++calls;
        for (const unsigned before = asked.load(); asked.load() == before;)
            ::sched_yield(); // the other thread comes to any place of its loop, with the lock or without
        io.notify_fork(asio::execution_context::fork_prepare);
        const pid_t child = ::fork();
        is_child          = child == 0;
        io.notify_fork(is_child ? asio::execution_context::fork_child : asio::execution_context::fork_parent);
        if (!is_child) child_ended = test::ended(child);
    };
    ss::async_select(pair.socket, io.get_executor(), handler, ne::read);
    const auto registered = registration_of(*pair.socket.impl());
    std::atomic<bool> stop{false};
    std::thread asks([&] { // much of its time it has the registration's lock, which no fork waits for
        for (; !stop.load(); ++asked)
            static_cast<void>(registered->owns());
    });
    for (int forks = 1; forks <= 50 && child_ended == 0; ++forks) {
        pair.say("x");
        while (calls < forks)
            io.run_one();
        if (is_child) ::_exit(0); // it has come out of the handler and of the library
        char byte[1];
        pair.socket.receive(std::as_writable_bytes(std::span(byte)));
    }
    stop.store(true);
    asks.join();
    role.say(std::to_string(child_ended));
    return 0;
}

TEST_CASE("a child that was forked inside a handler waits for no lock that a thread of its parent held", "[DUP-17][fault-82]")
{
    test::child_process forks("forks inside handlers while a thread uses their registration");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks a fork of a fork)
{
    test::kill_children_that_hang();
    two_handles have;
    have.pair.socket.event_select(*have.first, ne::read);
    const ss::process_id parent = have.home->self();
    role.say(std::to_string(test::in_forked_child([&](test::child_facts& child) {
        have.pair.socket.event_select(*have.second, ne::write); // `first` has no registration left
        child.expect(have.home->self() != parent);
        child.expect(test::in_forked_child([&](test::child_facts& grandchild) {
                         have.first.reset();
                         grandchild.expect(!have.second->is_set());
                         grandchild.expect(test::in_forked_child([&](test::child_facts& last) {
                                               have.second.reset();
                                               last.expect(have.other.send("x") == 1);
                                           }) == 0);
                     }) == 0);
    })));
    return 0;
}

TEST_CASE("a child in the third generation of forks has handles of its own and does not hang", "[DUP-17][fault-81]")
{
    test::child_process forks("forks a fork of a fork");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(has a child that destroys its context)
{
    test::kill_children_that_hang();
    test::scratch_segment home;
    auto io   = std::make_unique<asio::io_context>();
    auto work = std::make_optional(asio::make_work_guard(*io));
    test::connection pair(home), selected(home);
    std::optional<ss::stream> reading(std::in_place, *io, std::move(pair.socket));
    char room[8]{};
    std::size_t got = 0, events = 0;
    reading->async_read_some(asio::buffer(room), [&](ss::error_code, std::size_t count) { got = count; });
    ss::async_select(
        selected.socket, io->get_executor(), [&](const ss::event_message&) { ++events; }, ne::read);
    auto serving = ss::serve(*home, io->get_executor());
    io->poll();
    const bool notified = role.args.at(0) == "notified";
    const int child     = test::in_forked_child([&](test::child_facts&) {
        if (notified) io->notify_fork(asio::execution_context::fork_child);
        selected.socket.close();
        serving.reset();
        reading.reset();
        work.reset();
        io.reset();
    });
    role.say(std::to_string(child));
    pair.say("x");
    selected.say("x");
    while (got == 0 || events == 0)
        io->run_one();
    role.say("the parent hears all");
    return 0;
}

TEST_CASE("a forked child that destroys its context takes nothing out of its parent's reactor", "[DUP-17][fault-83]")
{
    for (const std::string how : {"notified", "not notified"}) {
        test::child_process forks("has a child that destroys its context", {how});
        CHECK(forks.line() == "0");
        CHECK(forks.line() == "the parent hears all");
        CHECK(forks.wait() == 0);
    }
}
