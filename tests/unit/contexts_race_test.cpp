// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Processes that act on one socket at the same time, as threads: see contexts.hpp.
#include "attach/attachment.hpp"
#include "events/local_registration.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "unit/contexts.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using test::manner;

namespace {

constexpr std::size_t count = 3;
constexpr auto all_events   = ss::network_event::read | ss::network_event::write | ss::network_event::close;

// One call, of those that concern the registration. Each may find that another thread was faster.
void any_move(std::minstd_rand& random, ss::shared_socket& socket, ss::event_object& ready)
{
    ss::error_code ec;
    switch (random() % 8) {
    case 0:
    case 1:
        socket.event_select(ready, all_events, {.tell_loss = true});
        break;
    case 2:
        socket.stand_by(ready, ss::network_event::read);
        break;
    case 3:
        socket.pass_on(ec);
        if (ec && ec != ss::errc::not_the_owner) throw ss::system_error(ec, "pass_on");
        break;
    case 4:
        socket.cancel_registration();
        break;
    case 5:
        static_cast<void>(socket.enum_network_events(ready));
        break;
    case 6:
        static_cast<void>(ready.wait(0ns));
        break;
    default:
        if (const auto who = socket.registration();
            who && who->mask == ss::network_event::none && who->kind != ss::registration_kind::unknown)
            throw std::runtime_error("a registration for nothing");
    }
}

} // namespace

TEST_CASE("the last context to register owns the events, whatever the contexts do at once", "[G1][REG-2]")
{
    test::contexts all(GENERATE(manner::apart, manner::together), count);
    test::connection pair(*all.home);
    auto sockets = all.handles_to(pair.socket);
    std::vector<ss::event_object> ready(count);
    all.run([&](std::size_t i) {
        std::minstd_rand random(static_cast<unsigned>(i + 1));
        for (int move = 0; move < 400; ++move)
            any_move(random, sockets[i], ready[i]);
    });
    for (std::size_t i = 0; i < count; ++i) {
        sockets[i].event_select(ready[i], ss::network_event::write);
        const auto now = pair.socket.registration();
        REQUIRE(now);
        CHECK(now->handle == sockets[i].handle_id());
        CHECK(now->kind == ss::registration_kind::event_select);
        CHECK_FALSE(now->delivering);
        CHECK(ready[i].wait(test::patience)); // there is room to send, and the new owner is told (G4)
    }
    CHECK(pair.socket.handles().size() == count + 1);
}

TEST_CASE("a handle that stands by does not take its sibling's registration for its turn", "[G1][REG-2]")
{
    test::scratch_segment home;
    test::connection pair(home);
    ss::shared_socket waits = ss::shared_socket::redeem(*home, pair.socket.duplicate(home->self()));
    ss::event_object ready, turn;
    pair.socket.event_select(ready, ss::network_event::read);
    waits.stand_by(turn, ss::network_event::read, {.tell_loss = true});

    // The state when another thread's registration through the sibling is interrupted: it has not said which handle it was.
    const std::uint32_t self = home->attachment()->member()->self().index;
    auto& slot               = pair.socket.impl()->slot();
    ss::detail::change(slot.registration, [&](const auto& word) { return std::optional(word.taken_over(self, 0x01)); });
    waits.impl()->on_bell(); // the doorbell of another handle
    CHECK(registration_of(*waits.impl())->state() == ss::detail::local_registration::phase::standing_by);
    CHECK_FALSE(turn.wait(0ns));
    pair.socket.cancel_registration();
    CHECK(test::eventually([&] { return waits.registration() && waits.registration()->handle == waits.handle_id(); }));
}

TEST_CASE("a handle that stands by does not take its own registration for its turn", "[G1][REG-3]")
{
    test::scratch_segment home;
    test::connection pair(home);
    ss::event_object ready, turn;
    ss::shared_socket other = ss::shared_socket::redeem(*home, pair.socket.duplicate(home->self()));
    other.event_select(ready, ss::network_event::read);
    pair.socket.stand_by(turn, ss::network_event::read);

    // The state when another thread's registration through this handle is interrupted: it has not ended the handle's standing by.
    home->attachment()->member()->take_over(pair.socket.impl()->which(), 0x01, 1);
    pair.socket.impl()->on_bell();
    CHECK(registration_of(*pair.socket.impl())->state() == ss::detail::local_registration::phase::standing_by);
}

TEST_CASE("each byte that comes while contexts take over is read once, whichever context is told of it", "[G4][ENUM-2]")
{
    constexpr int bytes = 1'000;
    test::contexts all(GENERATE(manner::apart, manner::together), count);
    test::connection pair(*all.home);
    auto sockets = all.handles_to(pair.socket);
    std::atomic<int> received{0};
    std::jthread sender([&] {
        for (int sent = 0; sent < bytes; ++sent)
            pair.say("x");
    });
    all.run([&](std::size_t i) {
        std::minstd_rand random(static_cast<unsigned>(i + 1));
        ss::event_object ready;
        while (received.load() < bytes) {
            any_move(random, sockets[i], ready);
            if (!ready.wait(1ms) || !sockets[i].enum_network_events(ready).has(ss::network_event::read)) continue;
            std::byte room[7];
            ss::error_code ec;
            received.fetch_add(static_cast<int>(sockets[i].receive(room, 0, ec)));
        }
    });
    CHECK(received.load() == bytes);
    std::byte more[1];
    ss::error_code ec;
    CHECK(sockets[0].receive(more, 0, ec) == 0);
    CHECK(ec == std::errc::operation_would_block);
}

TEST_CASE("handles that are made, register and close in all contexts at once are counted to the last", "[G6][REG-14]")
{
    test::contexts all(GENERATE(manner::apart, manner::together), count);
    test::connection pair(*all.home);
    all.run([&](std::size_t i) {
        for (int round = 0; round < 60; ++round) {
            ss::event_object ready;
            ss::shared_socket own = ss::shared_socket::redeem(all.segments[i], pair.socket.duplicate(all.segments[i].self()));
            if (round % 2 == 0)
                own.event_select(ready, all_events);
            else
                own.stand_by(ready, ss::network_event::read);
            static_cast<void>(pair.socket.handles());
            if (round % 3 == 0) own.close();
        }
    });
    CHECK(pair.socket.handles().size() == 1);
    CHECK_FALSE(pair.socket.registration());
}

/// args: segment. Redeems the ticket that it hears, owns the events, and is killed.
SHAREDSOCK_CHILD_ROLE(owns until it is killed)
{
    const ss::segment home = ss::segment::open(role.args.at(0));
    role.say("attached");
    ss::shared_socket socket = ss::shared_socket::redeem(home, ss::ticket::from_text(role.hear().value()));
    ss::event_object ready;
    socket.event_select(ready, ss::network_event::read);
    role.say("owner");
    role.hear();
    return 0;
}

TEST_CASE("contexts that sweep a dead owner at once end it once, and a handle that stands by owns the events next", "[G7][REG-18]")
{
    test::contexts all(GENERATE(manner::apart, manner::together), count);
    test::connection pair(*all.home);
    auto sockets = all.handles_to(pair.socket);
    for (int round = 0; round < 3; ++round) {
        test::child_process owner("owns until it is killed", {all.home.name()});
        owner.wait_for("attached");
        owner.tell(pair.socket.duplicate_for_pid(owner.pid()).to_text());
        owner.wait_for("owner");
        std::vector<ss::event_object> ready(count);
        for (std::size_t i = 0; i < count; ++i)
            sockets[i].stand_by(ready[i], ss::network_event::read);
        pair.say("x");
        owner.kill(SIGKILL);
        owner.wait();
        std::atomic<int> swept{0}, told{0};
        all.run([&](std::size_t i) {
            swept.fetch_add(static_cast<int>(all.segments[i].sweep()));
            const test::deadline end;
            while (told.load() == 0 && !end.passed()) {
                if (!ready[i].wait(1ms) || !sockets[i].enum_network_events(ready[i]).has(ss::network_event::read)) continue;
                std::byte room[1];
                ss::error_code ec;
                if (sockets[i].receive(room, 0, ec) == 1) told.fetch_add(1);
            }
        });
        CHECK(swept.load() <= 1); // the death watch may have been faster
        CHECK(told.load() == 1);
        CHECK(pair.socket.handles().size() == count + 1);
        pair.socket.cancel_registration();
        for (std::size_t i = 0; i < count; ++i)
            sockets[i].stand_by(ready[i], ss::network_event::none);
    }
}

SHAREDSOCK_CHILD_ROLE(forks with a bell and a mailbox)
{
    test::contexts all(manner::apart, 2);
    test::connection pair(*all.home);
    auto sockets = all.handles_to(pair.socket);
    ss::event_object ready;
    sockets[0].event_select(ready, ss::network_event::read);
    const pid_t child = ::fork();
    if (child == 0) {
        ss::event_object own;
        sockets[1].event_select(own, ss::network_event::write);
        ::_exit(own.wait(test::patience) && pair.socket.handles().size() == 6 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    role.say(WIFEXITED(status) ? std::to_string(WEXITSTATUS(status)) : "killed");
    return 0;
}

TEST_CASE("fork takes the locks of an attachment in one order, in the child as well", "[DUP-17]")
{
    test::child_process forks("forks with a bell and a mailbox");
    CHECK(forks.line() == "0");
    CHECK(forks.wait() == 0);
}
