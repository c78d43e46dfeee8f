// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A child of a raw clone(2), for which no atfork handler runs: it closes and destroys only its copies, and nothing shared.
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/syscall.h>
#include <unistd.h>

namespace ss   = sharedsock;
namespace asio = boost::asio;
using ne       = ss::network_event;

namespace {

template <class InChild>
int in_raw_clone(InChild run)
{
    const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child != 0) return test::ended(static_cast<pid_t>(child));
    ::alarm(60); // a hang is an end by SIGALRM
    run();
    ::_exit(0);
}

// The count of each eventfd of a process, from proc(5).
std::vector<int> counts_of_eventfds(pid_t of)
{
    std::vector<int> all;
    std::error_code gone; // a descriptor that is closed meanwhile
    for (const auto& one : std::filesystem::directory_iterator("/proc/" + std::to_string(of) + "/fdinfo", gone)) {
        std::ifstream about(one.path());
        for (std::string word; about >> word;)
            if (int count = 0; word == "eventfd-count:" && about >> std::hex >> count) all.push_back(count);
    }
    return all;
}

int sleeping_threads(pid_t of)
{
    int count = 0;
    for (const auto& one : std::filesystem::directory_iterator("/proc/" + std::to_string(of) + "/task")) {
        char state = 0;
        std::ifstream(one.path() / "stat").ignore(4096, ')') >> state;
        count += state == 'S';
    }
    return count;
}

} // namespace

SHAREDSOCK_CHILD_ROLE(has a raw clone that closes everything)
{
    test::scratch_segment home;
    std::optional<test::connection> events(std::in_place, home), selected(std::in_place, home), read(std::in_place, home);
    std::optional<ss::event_object> ready(std::in_place);
    events->socket.event_select(*ready, ne::read);
    asio::io_context io;
    int calls = 0;
    ss::async_select(
        selected->socket, io.get_executor(), [&](const ss::event_message&) { ++calls; }, ne::read);
    std::optional<ss::stream> stream(std::in_place, io, std::move(read->socket));
    std::array<char, 8> room{};
    std::size_t got = 0;
    stream->async_read_some(asio::buffer(room), [&](ss::error_code, std::size_t count) { got = count; });
    std::shared_ptr<void> serving = ss::serve(*home, io.get_executor());
    ss::turn_acceptor turns(ss::shared_socket::listen(*home, ss::socket_address::loopback(0)));
    io.poll();
    role.say(std::to_string(in_raw_clone([&] {
        ready->set();
        static_cast<void>(ready->is_set());
        events->socket.close();
        ready.reset();
        selected->socket.close();
        serving.reset();
        stream->close();
        stream.reset();
        turns = {};
        *home = {};
    })));
    role.say(ready->is_set() ? "the event object was set" : "the event object is as it was");
    events->say("x");
    role.say(ready->wait(std::chrono::seconds(60)) ? "event" : "no event");
    selected->say("x");
    read->say("x");
    while (calls == 0 || got == 0)
        io.run_one();
    role.say("handlers");
    role.say(home->alive(home->self()) && events->socket.handles().size() == 1 ? "attached" : "not attached");
    return 0;
}

TEST_CASE("a child of a raw clone that closes and destroys all it has leaves its parent's events as they are", "[fault-88]")
{
    test::child_process clones("has a raw clone that closes everything");
    CHECK(clones.line() == "0");
    CHECK(clones.line() == "the event object is as it was");
    CHECK(clones.line() == "event");
    CHECK(clones.line() == "handlers");
    CHECK(clones.line() == "attached");
    CHECK(clones.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(has a raw clone while a thread waits)
{
    test::scratch_segment home;
    test::connection pair(home);
    std::array<std::byte, 8> room{};
    std::thread waits([&] { pair.socket.receive(room); });
    role.hear();                                                          // the thread is in poll(2): the test has seen it there
    role.say(std::to_string(in_raw_clone([&] { pair.socket.close(); }))); // no thread waits in the child's copy
    role.hear();
    pair.say("x");
    waits.join();
    role.say(room[0] == std::byte('x') ? "received" : "nothing");
    return 0;
}

TEST_CASE("a child of a raw clone that closes a socket ends no call that its parent waits in", "[fault-88]")
{
    test::child_process clones("has a raw clone while a thread waits");
    CHECK(test::eventually(
        [&] { return counts_of_eventfds(clones.pid()) == std::vector{0} && sleeping_threads(clones.pid()) == 2; }));
    clones.tell("clone");
    CHECK(clones.line() == "0");
    CHECK(counts_of_eventfds(clones.pid()) == std::vector{0}); // the eventfd that ends its waiting is as it was
    clones.tell("on");
    CHECK(clones.line() == "received");
    CHECK(clones.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(has a raw clone that begins anew)
{
    test::scratch_segment home;
    test::connection pair(home);
    role.say(std::to_string(in_raw_clone([&] {
        test::child_facts all;
        const ss::segment own = ss::segment::open(home.name(), home.options());
        test::connection mine(own);
        ss::event_object ready;
        mine.socket.event_select(ready, ne::read);
        pair.socket.close(); // this is still the parent's copy
        mine.say("x");
        all.expect(ready.wait(std::chrono::seconds(30)));
        const ss::process_id self = own.self();
        all.expect(test::in_forked_child([&](test::child_facts& child) {
                       child.expect(own.self() && own.self() != self);
                       child.expect(mine.socket.send("y") == 1);
                   }) == 0);
        if (all.first_wrong() != 0) ::_exit(all.first_wrong());
    })));
    role.say(pair.socket.send("x") == 1 && pair.socket.handles().size() == 1 ? "all true" : "the parent has lost its handle");
    return 0;
}

TEST_CASE("a child of a raw clone that opens a segment of its own is a process like any other from then on", "[fault-88]")
{
    test::child_process clones("has a raw clone that begins anew");
    CHECK(clones.line() == "0");
    CHECK(clones.line() == "all true");
    CHECK(clones.wait() == 0);
}
