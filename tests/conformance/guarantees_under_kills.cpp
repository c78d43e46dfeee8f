// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The guarantees of the README under random deaths in random calls.
#include "attach/handle.hpp"
#include "conformance/hand_to.hpp"
#include "conformance/restless.hpp"
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/some_moment.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace ss = sharedsock;

SHAREDSOCK_CHILD_ROLE("does random things until it is killed")
{
    const ss::segment segment = ss::segment::open(role.args.at(0), {.patience = std::chrono::milliseconds(200)});
    role.say("ready");
    test::restless worker(segment, ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value())),
                          static_cast<unsigned>(std::stoul(role.args.at(1))));
    role.say("begins");
    for (;;) {
        try {
            worker.act();
        } catch (const ss::system_error&) { // of those that have no other way to say that they fail
        }
    }
}

TEST_CASE("two hundred workers killed at random moments leave a sound segment", "[G6][G7]")
{
    constexpr unsigned kills = 200;
    test::scratch_segment segment({.sockets = 128, .processes = 16});
    test::connection s(segment, AF_INET);
    s.socket.set_blocking(false);
    ss::event_object ready;
    const unsigned seed = std::random_device()();
    INFO("seed " << seed);
    std::minstd_rand random(seed);

    std::size_t handed_over = 0;
    for (unsigned killed = 0; killed < kills;) {
        std::vector<test::child_process> workers;
        for (int i = 0; i < 4; ++i)
            workers.emplace_back(
                "does random things until it is killed",
                std::vector<std::string>{segment.name(), std::to_string(seed + killed * 10 + static_cast<unsigned>(i))});
        for (test::child_process& one : workers)
            test::hand_to(one, segment, s.socket, "begins");
        for (test::child_process& one : workers) {
            test::some_moment(std::chrono::milliseconds(random() % 16));
            one.kill(SIGKILL);
            REQUIRE(one.wait() == -SIGKILL);
            ++killed;
        }
        INFO("after " << killed);
        segment->sweep();
        ss::error_code ec;
        for (const auto& one : segment->waiting_tickets())
            ss::shared_socket::redeem(segment, one.value, ec).close(ec);
        while (auto received = ss::receive_hand_over(segment, ec)) {
            CHECK(received->bytes == test::carry_pattern(received->tag, received->tag));
            received->socket.close(ec);
            ++handed_over;
        }
        CHECK_FALSE(ec);
        REQUIRE(segment->processes().size() == 1);
        REQUIRE(s.socket.handles().size() == 1);
        CHECK_FALSE(s.socket.registration());
        const ss::detail::table_view& bytes = segment->attachment()->member()->bytes();
        std::uint32_t sockets = 0, handles = 0;
        for (std::uint32_t i = 0; i < bytes.sockets_backed(); ++i)
            sockets += load(*bytes.socket(i)).state != ss::detail::slot_state::free ? 1 : 0;
        for (std::uint32_t i = 0; i < bytes.handles_backed(); ++i)
            handles += load(*bytes.handle(i)).state != ss::detail::handle_state::free ? 1 : 0;
        REQUIRE(sockets == 1);
        REQUIRE(handles == 1);
        for (std::byte room[4096]; s.socket.receive(room, MSG_DONTWAIT, ec) > 0;) {
        }
        s.socket.event_select(ready, ss::network_event::read);
        static_cast<void>(s.socket.enum_network_events(ready));
        s.say("?");
        REQUIRE(ready.wait(test::patience));
        REQUIRE(s.socket.enum_network_events(ready).occurred == ss::network_event::read);
        s.socket.cancel_registration();
    }
    CHECK(handed_over > 0); // to this process; the workers have had others
}
