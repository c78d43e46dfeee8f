// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// REG-11: after a take-over no event comes to the former owner.
#include "conformance/shared_connection.hpp"
#include "support/child_process.hpp"
#include "support/deadline.hpp"
#include "support/scratch_segment.hpp"
#include "support/shared_file.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/asio.hpp>
#include <sharedsock/sharedsock.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

using test::shared_connection;
using test::signalled;

namespace {

// The notes of two processes that take over from each other, in memory that they share.
struct hand_over_log {
    std::atomic<std::uint32_t> completed; // the epoch of the latest async_select that has returned
    std::atomic<std::uint32_t> events;
    std::atomic<std::uint32_t> late; // events under an earlier epoch than that, at their beginning or at their end
};

} // namespace

SHAREDSOCK_CHILD_ROLE("takes over again and again")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    const test::shared_file<hand_over_log> shared(role.args.at(1));
    hand_over_log& log = *shared;
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    role.say("has it");
    boost::asio::io_context context;
    const auto guard = boost::asio::make_work_guard(context);
    std::jthread running([&] { context.run(); });
    struct stopped { // also by an exception, before it is joined
        boost::asio::io_context& context;
        ~stopped() { context.stop(); }
    } const at_the_end{context};
    const auto check = [&](std::uint32_t epoch) {
        if (log.completed.load() > epoch) log.late.fetch_add(1);
    };
    const auto handler = [&](const ss::event_message& message) {
        check(message.epoch);
        log.events.fetch_add(1);
        std::byte room[512];
        ss::error_code ec;
        socket.receive(room, MSG_DONTWAIT, ec);
        check(message.epoch);
    };
    role.hear();
    ss::select_options patient;
    patient.fence_limit = test::patience;
    for (int round = std::stoi(role.args.at(2)); round > 0; --round) {
        ss::async_select(socket, context.get_executor(), handler, ss::network_event::read, patient);
        const auto now = socket.registration();
        if (!now || now->owner != segment.self()) continue; // the other process owns it already
        std::uint32_t latest = log.completed.load();
        while (latest < now->epoch && !log.completed.compare_exchange_weak(latest, now->epoch)) {
        }
    }
    role.say("done");
    role.hear();
    socket.close();
    return 0;
}

TEST_CASE("no event of a former registration comes after the call that replaced it has returned", "[REG-11]")
{
    constexpr int hand_overs = 10'000;
    test::scratch_segment segment;
    test::scratch_directory scratch;
    const std::string path = scratch.path() / "log";
    const test::shared_file<hand_over_log> shared(path);
    hand_over_log& log = *shared;
    test::connection s(segment, AF_INET);
    test::child_process a("takes over again and again", {segment.name(), path, std::to_string(hand_overs / 2)});
    test::child_process b("takes over again and again", {segment.name(), path, std::to_string(hand_overs / 2)});
    for (test::child_process* const one : {&a, &b}) {
        one->wait_for("ready");
        one->tell(s.socket.duplicate(segment->find_process(one->pid()).value()).to_text());
        one->wait_for("has it");
    }

    std::jthread sender([&](const std::stop_token& enough) {
        const char bytes[256]{};
        pollfd room{s.peer, POLLOUT, 0};
        while (!enough.stop_requested())
            if (::poll(&room, 1, 10) > 0) static_cast<void>(::send(s.peer, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
    });
    a.tell("go");
    b.tell("go");
    a.wait_for("done");
    b.wait_for("done");
    sender.request_stop();
    sender.join();
    a.tell("end");
    b.tell("end");
    CHECK(a.wait() == 0);
    CHECK(b.wait() == 0);

    CHECK(log.late.load() == 0);
    CHECK(log.events.load() > 100); // both had something to do
    CHECK(log.completed.load() > hand_overs / 2);
}

TEST_CASE("an occurrence signals the owner's event object and no other, however often the owner changes", "[REG-11]")
{
    shared_connection s;
    for (int round = 0; round < 50; ++round) {
        test::peer& owner = round % 2 == 0 ? s.a : s.b;
        test::peer& other = round % 2 == 0 ? s.b : s.a;
        REQUIRE(owner.ask("event_select h e read") == "ok");
        s.x.send("x");
        REQUIRE(signalled(owner));
        REQUIRE(other.ask("sig e") == "no");
        REQUIRE(owner.ask("enum h e") == "read");
        REQUIRE(owner.ask("receive h 1") == "\"x\"");
    }
}
