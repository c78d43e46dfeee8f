// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Rolling restarts, and workers that retire.
#include "prefork/worker_link.hpp"
#include "support/catch.hpp"
#include "unit/prefork_play.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using test::play;
using test::rules;
using test::words;

TEST_CASE("a rolling restart drains a worker only when all others are ready", "[prefork]")
{
    play p(rules(3));
    p.ready({0, 1, 2});
    p.actions();
    p.all.roll(p.now);
    for (const std::size_t place : {0u, 1u, 2u}) {
        const std::string number = std::to_string(place);
        CHECK(p.actions() == words{"ask_to_drain " + number});
        CHECK(p.all.status().ready == 2);
        p.dies(place);
        CHECK(p.actions() == words{"start " + number});
        CHECK(p.all.status().rolling);
        p.ready({place});
    }
    CHECK(p.actions().empty());
    CHECK_FALSE(p.all.status().rolling);
    for (const auto& seat : p.all.seats())
        CHECK(seat.generation == 2);
}

TEST_CASE("a rolling restart goes as many at a time as may be missing", "[prefork]")
{
    prefork::options how = rules(4);
    how.max_unavailable  = 2;
    play p(how);
    p.ready({0, 1, 2, 3});
    p.actions();
    p.all.roll(p.now);
    CHECK(p.actions() == words{"ask_to_drain 0", "ask_to_drain 1"});
}

TEST_CASE("a rolling restart with an extra worker never has fewer than wanted, and ends without it", "[prefork]")
{
    prefork::options how = rules(2);
    how.max_unavailable  = 0;
    how.surge            = 1;
    play p(how);
    p.ready({0, 1});
    p.actions();
    p.all.roll(p.now);
    CHECK(p.actions() == words{"start 2"});
    p.ready({2});
    for (const std::size_t place : {0u, 1u}) {
        CHECK(p.actions() == words{"ask_to_drain " + std::to_string(place)});
        CHECK(p.all.status().ready == 2);
        p.dies(place);
        p.actions();
        p.ready({place});
    }
    CHECK(p.actions() == words{"ask_to_drain 2"});
    CHECK_FALSE(p.all.status().rolling);
    p.dies(2);
    CHECK(p.actions().empty());
}

TEST_CASE("a rolling restart whose new worker does not come up leaves the old ones alone", "[prefork]")
{
    play p(rules(3)); // 5 deaths are too many
    p.ready({0, 1, 2});
    p.all.roll(p.now);
    p.dies(0);
    p.actions();
    for (int i = 0; i < 5; ++i) {
        p.dies(0);
        p.after(1s);
    }
    CHECK(p.all.status().given_up);
    CHECK(p.all.status().rolling);
    CHECK(p.all.status().ready == 2);
    for (const std::string& word : p.actions())
        CHECK(word == "start 0");

    p.all.roll(p.now); // of a better version
    CHECK(p.actions() == words{"start 0"});
    p.ready({0});
    CHECK(p.actions() == words{"ask_to_drain 1"});
}

TEST_CASE("a second rolling restart during the first replaces the workers that the first has started", "[prefork]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.all.roll(p.now);
    p.dies(0);
    p.ready({0}); // new; 1 is asked to drain
    p.actions();
    p.all.roll(p.now);
    CHECK(p.actions().empty()); // 1 is missing already
    p.dies(1);
    p.ready({1});
    CHECK(p.actions() == words{"start 1", "ask_to_drain 0"});
    p.dies(0);
    p.ready({0});
    CHECK_FALSE(p.all.status().rolling);
}

namespace {

// Rolls once a second for two minutes, while a worker takes `start` to become ready and `drain` to end. Returns the fewest
// workers that were ready.
std::size_t roll_every_second(play& p, std::chrono::milliseconds start, std::chrono::milliseconds drain)
{
    std::size_t fewest = p.all.status().ready;
    for (int step = 0; step < 1'200; ++step) {
        if (step % 10 == 0) p.all.roll(p.now);
        p.after(100ms);
        for (std::size_t place = 0; place < p.all.seats().size(); ++place) {
            const auto& one = p.all.seats()[place];
            if (one.state == prefork::worker_state::starting && p.now - one.since >= start) p.ready({place});
            if (one.state == prefork::worker_state::draining && p.now - one.since >= drain) p.ends(place);
        }
        fewest = std::min(fewest, p.all.status().ready);
    }
    return fewest;
}

void check_all_had_their_turn(const play& p)
{
    const auto older         = [](const auto& a, const auto& b) { return a.generation < b.generation; };
    const auto [least, most] = std::minmax_element(p.all.seats().begin(), p.all.seats().end(), older);
    CHECK(least->generation > 2);
    CHECK(most->generation - least->generation <= 1);
}

} // namespace

TEST_CASE("rolls that come faster than workers drain replace every worker in its turn", "[prefork][fault-123]")
{
    play p(rules(4));
    p.ready({0, 1, 2, 3});
    CHECK(roll_every_second(p, 0ms, 600ms) >= 3);
    check_all_had_their_turn(p);
}

TEST_CASE("rolls that come faster than workers start let them become ready", "[prefork][fault-123]")
{
    play p(rules(4));
    p.ready({0, 1, 2, 3});
    CHECK(roll_every_second(p, 2'500ms, 0ms) >= 3);
    for (const auto& one : p.all.seats())
        CHECK(one.round + 20 > p.all.seats()[0].round); // a round is a second: none is older than 20 s
    p.all.stop_now(p.now);
}

TEST_CASE("a roll ends the start of a worker of the old version, and a second roll lets it become ready first",
          "[prefork][fault-123]")
{
    play p(rules(1));
    p.actions();
    p.all.roll(p.now);
    CHECK(p.actions() == words{"ask_to_drain 0"});
    p.dies(0);
    CHECK(p.actions() == words{"start 0"});
    p.all.roll(p.now);
    CHECK(p.actions().empty());
    p.ready({0});
    CHECK(p.actions() == words{"ask_to_drain 0"}); // it came with the roll before
    p.ends(0);
    p.ready({0});
    CHECK_FALSE(p.all.status().rolling);
}

// --- workers that retire ----------------------------------------------------------------------------------------------

TEST_CASE("a worker that retires drains when a spare is ready, and its place is filled before the spare drains",
          "[prefork][fault-121]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.actions();
    p.all.said_retiring(0, p.now);
    CHECK(p.actions() == words{"start 2"});
    CHECK(p.all.status().retiring == 1);
    p.ready({2});
    CHECK(p.actions() == words{"ask_to_drain 0"});
    CHECK(p.all.status().ready == 2);
    p.ends(0);
    CHECK(p.actions() == words{"start 0"});
    p.ready({0});
    CHECK(p.actions() == words{"ask_to_drain 2"});
    CHECK(p.all.status().ready == 2);
    CHECK(p.all.status().retiring == 0);
    p.ends(2);
    CHECK(p.actions().empty());
    CHECK(p.all.seats()[0].restarts == 0);
}

TEST_CASE("workers that retire together are replaced one after the other, with one spare", "[prefork][fault-121]")
{
    play p(rules(3));
    p.ready({0, 1, 2});
    for (const std::size_t place : {2u, 0u, 1u})
        p.all.said_retiring(place, p.now);
    p.actions();
    p.ready({3});
    for (const std::size_t place : {0u, 1u, 2u}) { // the oldest first
        CHECK(p.actions() == words{"ask_to_drain " + std::to_string(place)});
        CHECK(p.all.status().ready == 3);
        p.ends(place);
        CHECK(p.actions() == words{"start " + std::to_string(place)});
        p.ready({place});
    }
    CHECK(p.actions() == words{"ask_to_drain 3"});
}

TEST_CASE("as many workers retire at a time as there may be more than wanted", "[prefork][fault-121]")
{
    prefork::options how = rules(3);
    how.surge            = 2;
    play p(how);
    p.ready({0, 1, 2});
    p.actions();
    for (const std::size_t place : {0u, 1u, 2u})
        p.all.said_retiring(place, p.now);
    CHECK(p.actions() == words{"start 3", "start 4"});
    p.ready({3, 4});
    CHECK(p.actions() == words{"ask_to_drain 0", "ask_to_drain 1"});
}

TEST_CASE("a worker that retires goes on if its spare does not come up", "[prefork][fault-121]")
{
    play p(rules(1)); // 5 deaths are too many
    p.ready({0});
    p.all.said_retiring(0, p.now);
    for (int i = 0; i < 5; ++i) {
        p.dies(1);
        p.after(1s);
    }
    CHECK(p.all.status().given_up);
    CHECK(p.all.status().ready == 1);
    CHECK(p.all.status().retiring == 1);
    p.actions();
    p.all.start(p.now);
    CHECK(p.actions() == words{"start 1"});
    p.ready({1});
    CHECK(p.actions() == words{"ask_to_drain 0"});
}

TEST_CASE("a worker that dies while it waits for its successor is replaced, and its spare goes", "[prefork][fault-121]")
{
    play p(rules(1));
    p.ready({0});
    p.all.said_retiring(0, p.now);
    p.actions();
    p.dies(0);
    CHECK(p.actions() == words{"start 0"});
    p.ready({0});
    CHECK(p.actions() == words{"ask_to_drain 1"}); // the spare was starting
    CHECK(p.all.status().retiring == 0);
}

TEST_CASE("a stop ends a retirement", "[prefork][fault-121]")
{
    play p(rules(1));
    p.ready({0});
    p.all.said_retiring(0, p.now);
    p.ready({1});
    p.actions();
    p.all.stop(p.now);
    p.all.said_retiring(1, p.now);
    CHECK(p.actions() == words{"ask_to_drain 1"}); // 0 was asked already
    p.ends(0);
    p.ends(1);
    CHECK(p.all.status().finished);
}

TEST_CASE("without room for a spare a worker that retires drains when all are ready", "[prefork][fault-121]")
{
    play p(rules(prefork::most_workers));
    for (std::size_t place = 0; place < prefork::most_workers; ++place)
        p.all.said_ready(place, p.now);
    p.actions();
    p.all.said_retiring(7, p.now);
    CHECK(p.actions() == words{"ask_to_drain 7"});
    CHECK(p.all.seats().size() == prefork::most_workers);
}

TEST_CASE("the jitter of places in a row is spread evenly, and differs between generations", "[prefork][fault-121]")
{
    using prefork::detail::jitter_of;
    for (const std::size_t workers : {2u, 4u, 7u, 64u}) {
        std::vector<std::uint64_t> all{0, 1'000};
        for (std::size_t place = 0; place < workers; ++place)
            all.push_back(jitter_of(place, 1, 1'000));
        std::sort(all.begin(), all.end());
        CHECK(all.back() == 1'000); // none is above
        std::uint64_t widest = 0;
        for (std::size_t i = 1; i < all.size(); ++i)
            widest = std::max(widest, all[i] - all[i - 1]);
        CHECK(widest <= 3 * 1'000 / workers);
    }
    CHECK(jitter_of(3, 1, 1'000'000) != jitter_of(3, 2, 1'000'000));
    CHECK(jitter_of(3, 2, 1'000'000) != jitter_of(4, 2, 1'000'000));
    CHECK(jitter_of(5, 9, 0) == 0);
    for (std::size_t place = 0; place < 100; ++place)
        CHECK(jitter_of(place, 1, 1) <= 1);
}
