// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The decisions of a supervisor, with a clock that the test sets.
#pragma once

#include "prefork/crew.hpp"

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace test {

namespace prefork = sharedsock::prefork;

inline prefork::options rules(std::size_t workers)
{
    prefork::options wanted;
    wanted.workers     = workers;
    wanted.respawn     = {std::chrono::milliseconds(100), std::chrono::seconds(1), std::chrono::seconds(10)};
    wanted.limit       = {5, std::chrono::seconds(60)};
    wanted.drain       = {std::chrono::seconds(30), std::chrono::seconds(5)};
    wanted.start_limit = std::chrono::seconds(20);
    return wanted;
}

// A crew, its time, and the actions that it wanted: "start 0", "ask_to_drain 2", ...
class play {
public:
    explicit play(const prefork::options& how, bool cooperates = true) : all(how, cooperates) { all.start(now); }

    std::vector<std::string> actions()
    {
        std::vector<std::string> words;
        for (const prefork::detail::action& one : all.take_actions()) {
            const char* const names[] = {"start ", "ask_to_drain ", "terminate ", "kill "};
            if (one.what != prefork::detail::action::kind::tell)
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
    void ends(std::size_t place) { all.died(place, now, prefork::detail::ending::orderly); }
    prefork::worker_state state(std::size_t place) const { return all.seats().at(place).state; }

    prefork::detail::time_point now{std::chrono::hours(1)};
    prefork::detail::crew all;
};

using words = std::vector<std::string>;

} // namespace test
