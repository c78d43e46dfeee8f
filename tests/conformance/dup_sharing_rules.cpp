// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP-16 to DUP-18: competing calls, forks.
#include "conformance/dup_steps.hpp"
#include "support/eventually.hpp"
#include "support/thread_waits.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;
using test::a_thread_waits;
using test::either_kind;
using test::port_of;
using test::share;
using test::stream_of_a;
using test::stream_of_a_and_b;
using test::three_processes;

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
        REQUIRE(test::eventually([&] { return a_thread_waits(s.a.process().pid()) && a_thread_waits(s.b.process().pid()); }));
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
    REQUIRE(test::eventually([&] { return a_thread_waits(s.a.process().pid()) && a_thread_waits(s.b.process().pid()); }));
    CHECK(s.a.ask("close l") == "ok");
    CHECK(s.a.ask("join t") == "error: operation_canceled");
    CHECK(s.b.ask("running t") == "yes");
    auto x = test::plain_socket::connect(port);
    CHECK(s.b.ask("join t") == "ok");
}

TEST_CASE("a call in the middle of which its handle is closed is cancelled or told that it is, and no descriptor is bad",
          "[DUP-18]")
{
    test::scratch_segment segment;
    for (int round = 0; round < 2'000; ++round) {
        test::connection s(segment, AF_UNIX);
        std::atomic<bool> begun{false};
        ss::error_code ended;
        std::thread receiver([&] {
            std::array<std::byte, 1> room;
            begun = true;
            s.socket.receive(room, 0, ended);
        });
        while (!begun)
            std::this_thread::yield();
        for (int spin = 0; spin < round % 64; ++spin)
            std::this_thread::yield();
        s.socket.close();
        receiver.join();
        INFO("round " << round << ": " << ended.message());
        REQUIRE((ended == ss::errc::closed_handle || ended == std::errc::operation_canceled));
    }
}
