// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Compares ways to share a port among workers: the same server on raw epoll, the same load, in turns and in random order.
#include "accept/report.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <random>

using namespace accept_bench;

namespace {

struct options {
    std::vector<unsigned> workers{2, 4};
    unsigned rounds     = 3;
    unsigned window_ms  = 300;
    unsigned keep_alive = 100;
    unsigned seed       = 1;
    std::string load, only, json;
};

[[noreturn]] void help(int status)
{
    std::printf("accept_bench compares the ways in which connections reach the workers of a server.\n\n"
                "  --workers N[,N]    numbers of workers (2,4)\n"
                "  --rounds N         rounds of each scheme with each load, in random order (3)\n"
                "  --window MS        measured time of a round (300)\n"
                "  --load TEXT        only loads with TEXT in their description, as \"full, a connection each\"\n"
                "  --only A[,B]       only these schemes\n"
                "  --keep-alive N     requests on a connection that is kept (100)\n"
                "  --seed N           seed of the order and of the pauses (1)\n"
                "  --json FILE        writes the medians to FILE as well\n\n"
                "schemes:\n");
    for (const scheme_entry& one : all_schemes())
        std::printf("  %-13s %s\n", one.name.c_str(), one.about.c_str());
    std::printf(
        "\ncolumns: CPU of all workers for a request: its median, and the median of its ratios to `exclusive` in the same round; "
        "the\n"
        "least CPU of all rounds, and its ratio to the least of `exclusive`, of the best of raw epoll, of `raw-beast` and of\n"
        "`asio-beast`; the busiest worker's accepts and requests over an even share; wasted waits for a connection; returns of\n"
        "epoll_wait and sleeps for a request; the time from asking (or connecting) to the answer.\n");
    std::exit(status);
}

std::vector<std::string> split(const std::string& text)
{
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

options parse(int argc, char** argv)
{
    options wanted;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--help") help(0);
        if (i + 1 >= argc) help(2);
        const std::string value = argv[++i];
        const auto number       = [&] { return static_cast<unsigned>(std::max(1l, std::strtol(value.c_str(), nullptr, 10))); };
        if (name == "--workers") {
            wanted.workers.clear();
            for (const std::string& one : split(value))
                wanted.workers.push_back(
                    std::clamp(static_cast<unsigned>(std::strtoul(one.c_str(), nullptr, 10)), 1u, unsigned{max_workers}));
        } else if (name == "--rounds")
            wanted.rounds = number();
        else if (name == "--window")
            wanted.window_ms = number();
        else if (name == "--load")
            wanted.load = value;
        else if (name == "--only")
            wanted.only = value;
        else if (name == "--keep-alive")
            wanted.keep_alive = number();
        else if (name == "--seed")
            wanted.seed = number();
        else if (name == "--json")
            wanted.json = value;
        else
            help(2);
    }
    return wanted;
}

comparison compare(const workload& load, unsigned workers, const options& wanted, std::mt19937& random)
{
    comparison result;
    result.load    = load;
    result.workers = workers;
    std::vector<const scheme_entry*> order;
    const std::vector<std::string> only = split(wanted.only);
    for (const scheme_entry& one : all_schemes()) {
        if (!wanted.only.empty() && std::find(only.begin(), only.end(), one.name) == only.end()) continue;
        if (load.one_in_ten_long && !one.has_long) continue;
        order.push_back(&one);
        result.names.push_back(one.name);
    }
    for (unsigned round = 0; round < wanted.rounds; ++round) {
        std::shuffle(order.begin(), order.end(), random);
        const auto seed = static_cast<unsigned>(random()); // the same for all schemes of the round
        for (const scheme_entry* const one : order) {
            round_options how;
            how.workers = workers;
            how.window  = std::chrono::milliseconds(wanted.window_ms);
            how.seed    = seed;
            result.rounds[one->name].push_back(run_round(*one->make(), load, how));
        }
    }
    return result;
}

} // namespace

namespace accept_bench {

const std::vector<scheme_entry>& all_schemes()
{
    static const std::vector<scheme_entry> all = [] {
        std::vector<scheme_entry> entries{
            {"plain", "one shared listener in each worker's epoll, level-triggered", make_shared_listener},
            {"exclusive", "as plain, with EPOLLEXCLUSIVE", make_exclusive},
            {"reuseport", "a listener for each worker, SO_REUSEPORT", make_reuse_port},
            {"shared-epoll", "one epoll for the listener, inside each worker's own", make_shared_epoll},
            {"dispatcher", "a process accepts and passes descriptors round, SCM_RIGHTS", make_dispatcher},
            {"token", "sharedsock: the registration as the turn, stand_by and pass_on", make_token},
            {"in-turn", "sharedsock's acceptor: turn_acceptor", make_in_turn},
            {"raw-beast", "as exclusive, with the HTTP of examples/prefork_http", make_raw_beast, false},
            {"turn-beast", "as in-turn, with the same HTTP", make_turn_beast, false},
            {"asio-beast", "as reuseport, with the connections of examples/prefork_http on Asio's sockets", make_asio_beast,
             false}};
        if (prefork_http_built())
            entries.push_back({"prefork_http", "examples/prefork_http: Asio, Beast and sharedsock", make_prefork_http, false});
        if (nginx_installed()) entries.push_back({"nginx", "nginx with an equal answer", make_nginx, false});
        return entries;
    }();
    return all;
}

} // namespace accept_bench

int main(int argc, char** argv)
try {
    const options wanted = parse(argc, argv);
    std::mt19937 random(wanted.seed);
    std::vector<comparison> all;
    for (const workload& load : all_workloads(wanted.keep_alive))
        for (const unsigned workers : wanted.workers) {
            if (describe(load).find(wanted.load) == std::string::npos) continue;
            all.push_back(compare(load, workers, wanted, random));
            print_table(all.back());
        }
    if (!wanted.json.empty() && !(std::ofstream(wanted.json) << as_json(all)))
        throw std::runtime_error("cannot write " + wanted.json);
    return 0;
} catch (const std::exception& failed) {
    std::fprintf(stderr, "accept_bench: %s\n", failed.what());
    return 1;
}
