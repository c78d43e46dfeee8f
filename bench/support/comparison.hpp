// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/instruction_count.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace bench {

/// The cost goal of an operation; docs/architecture.md has the table. A member that is not set asks for nothing.
struct goal {
    std::optional<double> ratio;              ///< of the times
    std::optional<double> nanoseconds;        ///< of the library's side
    std::optional<double> extra_instructions; ///< of user space, the library's minus the floor's
    std::optional<double> extra_calls;        ///< system calls, the library's minus the floor's

    std::string text() const;
};

/// One of the two ways to do an operation.
struct side {
    std::string name;
    std::function<void(benchmark::State&)> measure;           ///< for Google Benchmark, with manual time for one batch
    std::function<instruction_count(bool with_places)> count; ///< of one batch; null: too many
    int batch      = 1;
    int iterations = 0; ///< 0: as many as the time asks for
};

struct comparison {
    std::string operation;
    side floor;
    side ours;
    goal wanted;
    std::vector<std::string> parts; ///< not measured itself, but the sum of these other operations
};

/// A scenario is a class with
///     static constexpr int batch      how many steps are timed together
///     static constexpr int iterations (optional) how many batches one repetition times; for those with a costly `prepare`
///     static constexpr bool countable (optional) false: takes millions of instructions, only the time is measured
///     void prepare()                  (optional) before each batch; is neither timed nor counted
///     void step(int i)                the operation, 0 <= i < batch
/// Making and ending it is not timed.
template <class Scenario>
void run_batch(Scenario& subject)
{
    for (int i = 0; i < Scenario::batch; ++i)
        subject.step(i);
}

template <class Scenario>
void prepare_batch(Scenario& subject)
{
    if constexpr (requires { subject.prepare(); }) subject.prepare();
}

template <class Scenario>
void measure(benchmark::State& state)
{
    using clock = std::chrono::steady_clock;
    try {
        Scenario subject;
        prepare_batch(subject);
        run_batch(subject); // an effect that happens only once is not the operation
        for ([[maybe_unused]] auto ignored : state) {
            prepare_batch(subject);
            const auto begin = clock::now();
            run_batch(subject);
            state.SetIterationTime(std::chrono::duration<double>(clock::now() - begin).count());
        }
    } catch (const std::exception& failed) {
        state.SkipWithError(failed.what());
    }
}

template <class Scenario>
instruction_count count(bool with_places)
{
    const auto counted = [] {
        Scenario subject;
        for (int warm = 0; warm < 2; ++warm) {
            prepare_batch(subject);
            run_batch(subject);
        }
        prepare_batch(subject);
        count_mark();
        run_batch(subject);
        count_mark();
    };
    return count_instructions(counted, with_places);
}

template <class Scenario>
side of()
{
    side made;
    made.measure = measure<Scenario>;
    if constexpr (!requires { requires !Scenario::countable; }) made.count = count<Scenario>;
    made.batch = Scenario::batch;
    if constexpr (requires { Scenario::iterations; }) made.iterations = Scenario::iterations;
    return made;
}

template <class Floor, class Ours>
comparison compare(std::string operation, goal wanted)
{
    return {std::move(operation), of<Floor>(), of<Ours>(), wanted, {}};
}

inline comparison sum(std::string operation, std::vector<std::string> parts, goal wanted)
{
    return {std::move(operation), {}, {}, wanted, std::move(parts)};
}

using comparisons = std::vector<comparison>;

// One family of operations each, defined in the file of that name.
void add_send_receive(comparisons& all);
void add_event_delivery(comparisons& all);
void add_stream(comparisons& all);
void add_registration(comparisons& all);
void add_ticket(comparisons& all);
void add_hand_over(comparisons& all);
void add_option(comparisons& all);
void add_socket_life(comparisons& all);
void add_attach(comparisons& all);
void add_lock_death(comparisons& all);
void add_fork(comparisons& all);

/// Bytes of the segment that a socket takes: its slot, with `handles` handle records.
double shared_bytes_per_socket(int handles);

} // namespace bench
