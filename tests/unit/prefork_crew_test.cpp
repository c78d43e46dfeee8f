// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The decisions of a supervisor, with a clock that the test sets.
#include "prefork/crew.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using prefork::worker_state;
using prefork::detail::action;
using prefork::detail::crew;
using prefork::detail::never;
using prefork::detail::time_point;

namespace {

prefork::options rules(std::size_t workers)
{
    prefork::options wanted;
    wanted.workers     = workers;
    wanted.respawn     = {100ms, 1s, 10s};
    wanted.limit       = {5, 60s};
    wanted.drain       = {30s, 5s};
    wanted.start_limit = 20s;
    return wanted;
}

// A crew, its time, and the actions that it wanted: "start 0", "ask_to_drain 2", ...
class play {
public:
    explicit play(const prefork::options& how, bool cooperates = true) : all(how, cooperates) { all.start(now); }

    std::vector<std::string> actions()
    {
        std::vector<std::string> words;
        for (const action& one : all.take_actions()) {
            const char* const names[] = {"start ", "ask_to_drain ", "terminate ", "kill "};
            if (one.what != action::kind::tell)
                words.push_back(names[static_cast<std::size_t>(one.what)] + std::to_string(one.place));
        }
        return words;
    }
    void after(std::chrono::nanoseconds span)
    {
        now += span;
        all.passed(now);
    }
    void ready(std::initializer_list<std::size_t> places)
    {
        for (const std::size_t place : places)
            all.said_ready(place, now);
    }
    void dies(std::size_t place) { all.died(place, now); }
    worker_state state(std::size_t place) const { return all.seats().at(place).state; }

    time_point now{1h};
    crew all;
};

using words = std::vector<std::string>;

} // namespace

TEST_CASE("start starts all workers at once", "[prefork]")
{
    play p(rules(3));
    CHECK(p.actions() == words{"start 0", "start 1", "start 2"});
    CHECK(p.all.status().ready == 0);
    p.ready({2, 0});
    CHECK(p.all.status().ready == 2);
    CHECK(p.actions().empty());
}

TEST_CASE("a worker that was ready is replaced at once when it dies, and counted", "[prefork]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.actions();
    p.dies(1);
    CHECK(p.actions() == words{"start 1"});
    CHECK(p.all.seats()[1].generation == 2);
    CHECK(p.all.seats()[1].restarts == 1);
    CHECK(p.all.seats()[0].generation == 1);
}

TEST_CASE("a worker that keeps dying is replaced later and later, until one lasts", "[prefork]")
{
    prefork::options how = rules(1);
    how.limit.deaths     = 0;
    play p(how);
    p.actions();
    const auto live_and_die = [&p](std::chrono::nanoseconds life) {
        p.ready({0});
        p.after(life);
        p.dies(0);
        return p.actions();
    };
    CHECK(live_and_die(1s) == words{"start 0"});
    for (const auto delay : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        CHECK(live_and_die(1s).empty());
        CHECK(p.state(0) == worker_state::backing_off);
        CHECK(p.all.next_deadline() == p.now + delay);
        p.after(delay - 1ns);
        CHECK(p.actions().empty());
        p.after(1ns);
        CHECK(p.actions() == words{"start 0"});
    }
    CHECK(live_and_die(10s) == words{"start 0"}); // the worker was stable
}

TEST_CASE("a worker that dies before it is ready is a failed start, and waits from the first time", "[prefork]")
{
    play p(rules(1));
    p.actions();
    p.dies(0);
    CHECK(p.actions().empty());
    CHECK(p.state(0) == worker_state::backing_off);
    p.after(100ms);
    CHECK(p.actions() == words{"start 0"});
}

TEST_CASE("a start that fails at once is not tried again in the same moment, even without a back-off", "[prefork]")
{
    prefork::options how = rules(1);
    how.limit.deaths     = 0;
    how.respawn.first    = 0ns;
    play p(how);
    p.actions();
    p.dies(0);
    CHECK(p.actions().empty());
    CHECK(p.all.next_deadline() == p.now);
}

TEST_CASE("a worker that never becomes ready is killed when its time is over", "[prefork]")
{
    play p(rules(1));
    p.actions();
    p.after(20s - 1ns);
    CHECK(p.actions().empty());
    p.after(1ns);
    CHECK(p.actions() == words{"kill 0"});
    p.ready({0}); // too late
    CHECK(p.state(0) == worker_state::killed);
    p.dies(0);
    CHECK(p.state(0) == worker_state::backing_off);
}

TEST_CASE("a worker that cannot become ready any more has a moment to die by itself", "[prefork]")
{
    play p(rules(1));
    p.actions();
    p.all.cannot_start(0, p.now);
    CHECK(p.actions().empty());
    p.after(1s);
    CHECK(p.actions() == words{"kill 0"});
}

TEST_CASE("too many deaths in a row end all starts, and a new attempt forgets them", "[prefork]")
{
    play p(rules(2)); // 5 deaths within 60 s
    p.actions();
    p.ready({1});
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(p.all.status().given_up);
        p.dies(0);
        p.after(1s);
    }
    CHECK(p.all.status().given_up);
    CHECK(p.state(0) == worker_state::ended);
    CHECK(p.state(1) == worker_state::ready);
    p.actions();
    p.after(1h);
    CHECK(p.actions().empty());
    CHECK(p.all.next_deadline() == never);

    SECTION("by start")
    {
        p.all.start(p.now);
        CHECK(p.actions() == words{"start 0"});
    }
    SECTION("by resize")
    {
        p.all.resize(3, p.now);
        CHECK(p.actions() == words{"start 0", "start 2"});
    }
    CHECK_FALSE(p.all.status().given_up);
}

TEST_CASE("deaths of workers that were asked to end do not count as failures", "[prefork]")
{
    play p(rules(1));
    for (int i = 0; i < 20; ++i) {
        p.ready({0});
        p.all.roll(p.now);
        p.dies(0);
        CHECK(p.all.seats()[0].failures == 0);
    }
    CHECK_FALSE(p.all.status().given_up);
    CHECK(p.all.seats()[0].restarts == 0);
    CHECK(p.all.seats()[0].generation == 21);
}

TEST_CASE("more workers are started, and fewer drain the last ones", "[prefork]")
{
    play p(rules(2));
    p.ready({0, 1});
    p.actions();
    p.all.resize(4, p.now);
    CHECK(p.actions() == words{"start 2", "start 3"});
    p.ready({2, 3});
    p.all.resize(1, p.now);
    CHECK(p.actions() == words{"ask_to_drain 1", "ask_to_drain 2", "ask_to_drain 3"});
    CHECK(p.all.status().ready == 1);

    SECTION("more again before they have ended: their places are taken when they have")
    {
        p.all.resize(2, p.now);
        CHECK(p.actions().empty());
        p.dies(1);
        CHECK(p.actions() == words{"start 1"});
        p.dies(2);
        CHECK(p.actions().empty());
    }
    SECTION("none at all")
    {
        p.all.resize(0, p.now);
        CHECK(p.actions() == words{"ask_to_drain 0"});
    }
}

TEST_CASE("draining goes from the request to SIGTERM to SIGKILL, each in its time", "[prefork]")
{
    play p(rules(1));
    p.ready({0});
    p.actions();
    p.all.stop(p.now);
    CHECK(p.actions() == words{"ask_to_drain 0"});
    p.after(30s);
    CHECK(p.actions() == words{"terminate 0"});
    CHECK(p.state(0) == worker_state::terminating);
    p.after(5s);
    CHECK(p.actions() == words{"kill 0"});
    CHECK_FALSE(p.all.status().finished);
    p.dies(0);
    CHECK(p.all.status().finished);
    CHECK(p.all.next_deadline() == never);
}

TEST_CASE("a step of the draining without a limit is the last one, and one of no length is left out", "[prefork]")
{
    prefork::options how = rules(1);
    SECTION("without a limit")
    {
        how.drain.asked = prefork::for_ever;
        play p(how);
        p.ready({0});
        p.all.stop(p.now);
        CHECK(p.all.next_deadline() == never);
    }
    SECTION("of no length")
    {
        how.drain = {0s, 0s};
        play p(how);
        p.ready({0});
        p.actions();
        p.all.stop(p.now);
        p.after(0s);
        p.after(0s);
        CHECK(p.actions() == words{"ask_to_drain 0", "terminate 0", "kill 0"});
    }
}

TEST_CASE("a worker that cannot hear the request gets SIGTERM at once", "[prefork]")
{
    play p(rules(1));
    p.ready({0});
    p.all.stop(p.now);
    p.actions();
    p.all.cannot_hear(0, p.now);
    p.after(0s);
    CHECK(p.actions() == words{"terminate 0"});
}

TEST_CASE("a program that does not know of the request is drained by SIGTERM", "[prefork]")
{
    play p(rules(1), false);
    p.ready({0});
    p.actions();
    p.all.stop(p.now);
    CHECK(p.actions() == words{"terminate 0"});
    CHECK(p.state(0) == worker_state::draining);
}

TEST_CASE("stop_now kills whatever runs, and is finished when all are dead", "[prefork]")
{
    play p(rules(3));
    p.ready({0, 1});
    p.dies(0); // is replaced
    p.all.stop(p.now);
    p.actions();
    p.all.stop_now(p.now);
    CHECK(p.actions() == words{"kill 0", "kill 1", "kill 2"});
    for (const std::size_t place : {0u, 1u, 2u})
        p.dies(place);
    CHECK(p.all.status().finished);
    CHECK(p.actions().empty());
}

TEST_CASE("stop ends the wait for a replacement", "[prefork]")
{
    play p(rules(1));
    p.dies(0);
    p.all.stop(p.now);
    CHECK(p.all.status().finished);
    p.actions();
    p.after(1h);
    CHECK(p.actions().empty());
}

TEST_CASE("start after stop begins anew, in places whose old workers have ended", "[prefork]")
{
    play p(rules(1));
    p.ready({0});
    p.all.stop(p.now);
    p.all.start(p.now);
    p.actions();
    p.dies(0);
    CHECK(p.actions() == words{"start 0"});
    CHECK_FALSE(p.all.status().finished);
}

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
    play p(how);
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
        switch (up_to(9)) {
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
        default:
            any_place([&](std::size_t place) { p.ready({place}); });
        }
        carry_out();
        REQUIRE(running.size() <= 6 + 4 + how.surge);
    }
    // From here on every worker obeys: the crew comes to rest, with as many as are wanted.
    for (int step = 0; step < 200; ++step) {
        p.after(1s);
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
