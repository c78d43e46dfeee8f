// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// sharedsock_bench: the cost of the library beside the raw calls. See README.md.
#include "support/comparison.hpp"
#include "support/report.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct arguments {
    std::string only; ///< operations whose name contains it
    std::string json;
    bool profile = false;
    bool count   = true;
    bool time    = true;
    std::vector<char*> others; ///< Google Benchmark's
};

constexpr const char* usage =
    "sharedsock_bench [--only TEXT] [--json FILE] [--profile] [--no-count] [--no-time] [--benchmark_...]\n"
    "  --only TEXT  measures the operations whose name contains TEXT\n"
    "  --profile    prints the user instructions by function, and the system calls\n"
    "  --no-count   measures times alone     --no-time  counts instructions and system calls alone\n";

bool parse(int argc, char** argv, arguments& result)
{
    result.others.push_back(argv[0]);
    for (int i = 1; i < argc; ++i) {
        const std::string_view one = argv[i];
        if (one == "--only" && i + 1 < argc)
            result.only = argv[++i];
        else if (one == "--json" && i + 1 < argc)
            result.json = argv[++i];
        else if (one == "--profile")
            result.profile = true;
        else if (one == "--no-count")
            result.count = false;
        else if (one == "--no-time")
            result.time = false;
        else if (one.starts_with("--benchmark_"))
            result.others.push_back(argv[i]);
        else
            return false;
    }
    return true;
}

// Collects the repetitions for this program's own table.
class collector final : public benchmark::BenchmarkReporter {
public:
    explicit collector(const bench::comparisons& all) : all_(all), rows_(all.size())
    {
        for (std::size_t i = 0; i < all.size(); ++i)
            rows_[i] = {all[i].operation, all[i].wanted, {}, {}};
    }

    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override
    {
        for (const Run& run : runs) {
            if (run.run_type != Run::RT_Iteration) continue;
            std::size_t index = 0;
            char which        = 0;
            if (std::sscanf(run.run_name.function_name.c_str(), "%zu%c", &index, &which) != 2 || index >= rows_.size()) continue;
            bench::figures& figures = which == 'f' ? rows_[index].floor : rows_[index].ours;
            const bench::side& side = which == 'f' ? all_[index].floor : all_[index].ours;
            if (run.error_occurred)
                figures.error = run.error_message;
            else
                figures.nanoseconds.push_back(run.GetAdjustedRealTime() / side.batch);
        }
        std::fputc('.', stderr);
    }

    std::vector<bench::row>& rows() noexcept { return rows_; }

private:
    const bench::comparisons& all_;
    std::vector<bench::row> rows_;
};

void print_profile(const bench::comparison& what, const char* which, const bench::instruction_count& counted, int batch)
{
    std::printf("%s, %s: for each operation\n  calls: %s (in %d operations)\n", what.operation.c_str(), which,
                counted.call_names().c_str(), batch);
    std::vector<std::pair<std::uint64_t, std::string>> places;
    for (const auto& [name, instructions] : counted.places)
        places.emplace_back(instructions, name);
    std::sort(places.rbegin(), places.rend());
    for (std::size_t i = 0; i < places.size() && i < 40; ++i)
        std::printf("%9.1f  %s\n", static_cast<double>(places[i].first) / batch, places[i].second.substr(0, 150).c_str());
}

void count_side(const bench::comparison& what, const char* which, const bench::side& side, bench::figures& into, bool profile)
{
    if (!side.count) return;
    try {
        const bench::instruction_count counted = side.count(profile);
        into.instructions                      = static_cast<double>(counted.instructions) / side.batch;
        into.calls                             = static_cast<double>(counted.call_count()) / side.batch;
        into.call_names                        = counted.call_names();
        if (profile) print_profile(what, which, counted, side.batch);
    } catch (const std::exception& failed) {
        into.error = failed.what();
    }
}

// The names that Google Benchmark sees are only numbers: "3f" is the floor of operation 3.
void register_side(const std::string& name, const bench::side& side)
{
    auto* const registered = benchmark::RegisterBenchmark(name.c_str(), side.measure)->UseManualTime();
    if (side.iterations > 0) registered->Iterations(side.iterations);
}

// Repetitions of all operations in a random order, so that a disturbance of the machine hits both sides alike.
void set_up(arguments& given)
{
    static std::string defaults[] = {"--benchmark_enable_random_interleaving=true", "--benchmark_repetitions=11",
                                     "--benchmark_min_time=0.02"};
    std::vector<char*> all{given.others.front()};
    for (std::string& one : defaults)
        all.push_back(one.data());
    all.insert(all.end(), given.others.begin() + 1, given.others.end());
    int count = static_cast<int>(all.size());
    benchmark::Initialize(&count, all.data());
}

// A sum needs all its parts.
void select(bench::comparisons& all, const std::string& text)
{
    std::erase_if(all,
                  [&](const bench::comparison& one) { return one.parts.empty() && one.operation.find(text) == std::string::npos; });
    const auto there = [&](const std::string& part) {
        return std::any_of(all.begin(), all.end(), [&](const bench::comparison& one) { return one.operation == part; });
    };
    std::erase_if(all, [&](const bench::comparison& one) { return !std::all_of(one.parts.begin(), one.parts.end(), there); });
}

} // namespace

int main(int argc, char** argv)
{
    arguments given;
    if (!parse(argc, argv, given)) {
        std::fputs(usage, stderr);
        return 2;
    }
    bench::comparisons all;
    bench::add_send_receive(all);
    bench::add_event_delivery(all);
    bench::add_stream(all);
    bench::add_registration(all);
    bench::add_ticket(all);
    bench::add_hand_over(all);
    bench::add_option(all);
    bench::add_socket_life(all);
    bench::add_attach(all);
    bench::add_lock_death(all);
    bench::add_fork(all);
    select(all, given.only);

    collector collected(all);
    for (std::size_t i = 0; given.count && i < all.size(); ++i) {
        if (!all[i].parts.empty()) continue;
        count_side(all[i], "floor", all[i].floor, collected.rows()[i].floor, given.profile);
        count_side(all[i], "ours", all[i].ours, collected.rows()[i].ours, given.profile);
        std::fputc('.', stderr);
    }
    const bench::memory_figures memory{
        {1, bench::shared_bytes_per_socket(1)}, {2, bench::shared_bytes_per_socket(2)}, {4, bench::shared_bytes_per_socket(4)}};
    if (given.time) {
        set_up(given);
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (!all[i].parts.empty()) continue;
            register_side(std::to_string(i) + 'f', all[i].floor);
            register_side(std::to_string(i) + 'o', all[i].ours);
        }
        benchmark::RunSpecifiedBenchmarks(&collected);
    }
    std::fputs("\n\n", stderr);

    bench::add_up(all, collected.rows());
    bench::print_table(std::cout, collected.rows(), memory);
    if (!given.json.empty()) {
        std::ofstream file(given.json);
        bench::print_json(file, collected.rows(), memory);
        file.close();
        if (!file) {
            std::cerr << "cannot write " << given.json << '\n';
            return 1;
        }
    }
    const auto failed = [](const bench::row& one) { return !one.floor.error.empty() || !one.ours.error.empty(); };
    return std::any_of(collected.rows().begin(), collected.rows().end(), failed) ? 1 : 0;
}
