// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A crew in every order of events.
#include "support/catch.hpp"
#include "unit/prefork_play.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <set>
#include <vector>

namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using prefork::worker_state;
using prefork::detail::action;
using test::play;
using test::rules;

// In every order of events: no place ever has two workers, the number of workers is bounded, a rolling restart keeps its promise,
// and a stop comes to an end.
TEST_CASE("no sequence of events makes a crew break its promises", "[prefork]")
{
    const unsigned seed = GENERATE(range(0u, 200u));
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto up_to     = [&random](std::size_t most) { return std::size_t{random() % (most + 1)}; };
    prefork::options how = rules(1 + up_to(4));
    how.limit.deaths     = 0;
    how.max_unavailable  = up_to(2);
    how.surge            = up_to(2);
    how.watchdog         = up_to(1) == 0 ? prefork::for_ever : 5s;
    play p(how);
    const auto look = [&](auto beats, auto is_stopped) {
        std::vector<prefork::detail::sighting> all;
        for (std::size_t place = 0; place < p.all.seats().size(); ++place)
            all.push_back({place, beats(p.all.seats()[place].beats), is_stopped()});
        p.all.looked(all, p.now);
    };
    std::set<std::size_t> running;
    const auto carry_out = [&] {
        for (const action& one : p.all.take_actions()) {
            if (one.what == action::kind::start)
                REQUIRE(running.insert(one.place).second);
            else if (one.what != action::kind::tell)
                REQUIRE(running.contains(one.place));
        }
        for (std::size_t place = 0; place < p.all.seats().size(); ++place)
            REQUIRE(p.all.seats()[place].runs() == running.contains(place));
    };
    const auto any_place = [&](auto then) {
        if (running.empty()) return;
        const auto place = *std::next(running.begin(), static_cast<std::ptrdiff_t>(up_to(running.size() - 1)));
        then(place);
    };
    carry_out();
    for (int step = 0; step < 300; ++step) {
        p.now += std::chrono::milliseconds(up_to(2'000));
        switch (up_to(14)) {
        case 0:
            p.all.resize(up_to(6), p.now);
            break;
        case 1:
            p.all.roll(p.now);
            break;
        case 2:
            p.all.passed(p.now);
            break;
        case 3:
            any_place([&](std::size_t place) { p.all.cannot_start(place, p.now); });
            break;
        case 4:
        case 5:
            any_place([&](std::size_t place) {
                running.erase(place);
                p.dies(place);
            });
            break;
        case 6:
            any_place([&](std::size_t place) { p.all.said_retiring(place, p.now); });
            break;
        case 7:
            any_place([&](std::size_t place) { p.all.said_leaving(place, p.now); });
            break;
        case 8:
            any_place([&](std::size_t place) {
                running.erase(place);
                p.ends(place);
            });
            break;
        case 9:
            if (p.all.look_is_due(p.now))
                look([&](auto seen) { return seen + static_cast<std::uint32_t>(up_to(1)); }, [&] { return random() % 4 == 0; });
            break;
        default:
            any_place([&](std::size_t place) { p.ready({place}); });
        }
        carry_out();
        REQUIRE(running.size() <= 6 + 4 + std::max<std::size_t>(how.surge, 1));
    }
    // From here on every worker obeys: the crew comes to rest, with as many as are wanted.
    for (int step = 0; step < 200; ++step) {
        p.after(1s);
        look([](auto seen) { return seen + 1; }, [] { return false; });
        carry_out();
        for (const std::size_t place : std::vector<std::size_t>(running.begin(), running.end())) {
            const worker_state state = p.state(place);
            if (state == worker_state::starting) p.ready({place});
            if (state == worker_state::draining || state == worker_state::terminating || state == worker_state::killed) {
                running.erase(place);
                p.dies(place);
            }
            carry_out();
        }
    }
    CHECK_FALSE(p.all.status().rolling);
    CHECK(p.all.status().retiring == 0);
    CHECK(p.all.status().ready == p.all.status().wanted);
    CHECK(running.size() == p.all.status().wanted);
    p.all.stop_now(p.now);
    carry_out();
    for (const std::size_t place : std::vector<std::size_t>(running.begin(), running.end())) {
        running.erase(place);
        p.dies(place);
    }
    carry_out();
    CHECK(p.all.status().finished);
}
