// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The sweep of a process that held many sockets.
#include "fault/operations/operations.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <vector>

using namespace test;

TEST_CASE("a holder of many sockets hears of each change when a process that shared them all has died", "[fault-154]")
{
    constexpr std::uint32_t many = 100, rings_at_most = 20;
    core_segment segment({.processes = 8, .names = 4, .handles = 4 * many, .sockets = 2 * many});
    core_member holder(segment), sweeper(segment);
    holder.attach();
    std::vector<socket_and_handle> held;
    error_code ec;
    for (std::uint64_t i = 0; i < many; ++i) {
        held.push_back(holder->create_socket({.cookie = 100 + i}, ec));
        REQUIRE_FALSE(ec);
        holder->take_over(held.back(), all_events, 1);
    }
    segment.die_after([&] {
        core_member dying(segment);
        dying.attach();
        for (const socket_and_handle& one : held) {
            error_code failed;
            dying->take_over({one.socket, dying->open_handle(one.socket, failed)}, all_events, 1);
        }
        ::raise(SIGKILL);
    });
    holder.heard();
    sweeper.attach();
    CHECK(sweeper->sweep_dead() == 1);
    const std::vector<std::uint32_t> heard = holder.heard();
    CHECK(heard.size() <= rings_at_most);
    CHECK(std::find(heard.begin(), heard.end(), no_index) != heard.end()); // look at all
    CHECK(segment.bytes().process(holder->self().index)->resync.load() == 1);
    for (const socket_and_handle& one : held)
        CHECK_FALSE(holder.word(one.socket).owned());

    // A second death before the holder has looked, and one after that.
    const auto die_with_all = [&] {
        segment.die_after([&] {
            core_member dying(segment);
            dying.attach();
            for (const socket_and_handle& one : held) {
                error_code failed;
                dying->open_handle(one.socket, failed);
            }
            ::raise(SIGKILL);
        });
        holder.heard();
        CHECK(sweeper->sweep_dead() == 1);
        const std::vector<std::uint32_t> now = holder.heard();
        return std::find(now.begin(), now.end(), no_index) != now.end();
    };
    CHECK(die_with_all());
    segment.bytes().process(holder->self().index)->resync.store(0);
    CHECK(die_with_all());
}
