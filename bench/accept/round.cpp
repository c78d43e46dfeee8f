// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/round.hpp"

#include "accept/client.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>
#include <numeric>
#include <utility>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace accept_bench {
namespace {

using clock = std::chrono::steady_clock;

// Ends with its scope, also after an exception.
class process {
public:
    template <class Body>
    explicit process(Body body) : pid_(::fork())
    {
        if (pid_ < 0) fail("fork");
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        body();
        std::_Exit(0);
    }
    explicit process(pid_t forked) : pid_(forked) {}
    process(process&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    ~process()
    {
        if (pid_ == 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    pid_t pid() const noexcept { return pid_; }

private:
    pid_t pid_;
};

// Nanoseconds that the scheduler has given a process.
std::uint64_t time_of(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/schedstat");
    std::uint64_t spent = 0;
    if (!(file >> spent)) fail("schedstat");
    return spent;
}

// How often it has given the processor up to wait.
std::uint64_t sleeps_of(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(file, line))
        if (const std::string_view name = "voluntary_ctxt_switches:"; line.starts_with(name))
            return std::stoull(line.substr(name.size()));
    fail("voluntary_ctxt_switches");
}

struct snapshot {
    clock::time_point at;
    std::uint64_t time   = 0;
    std::uint64_t sleeps = 0;
    std::vector<std::uint64_t> accepts, requests;
    std::uint64_t wakes = 0, wasted = 0, hands_on = 0, answers = 0, latency = 0, failures = 0;
    std::array<std::uint64_t, 64> histogram{};

    snapshot(const all_counters& workers, unsigned count, const client_counters& client, const std::vector<pid_t>& pids)
        : at(clock::now())
    {
        for (const pid_t pid : pids) {
            time += time_of(pid);
            sleeps += sleeps_of(pid);
        }
        for (unsigned i = 0; i < count; ++i) {
            accepts.push_back(workers[i].accepts);
            requests.push_back(workers[i].requests);
            wakes += workers[i].wakes;
            wasted += workers[i].wasted;
            hands_on += workers[i].hands_on;
        }
        answers  = client.answers;
        latency  = client.latency_ns;
        failures = client.failures;
        for (std::size_t i = 0; i < histogram.size(); ++i)
            histogram[i] = client.histogram[i];
    }
};

double busiest(const std::vector<std::uint64_t>& before, const std::vector<std::uint64_t>& after)
{
    std::uint64_t most = 0, sum = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
        most = std::max(most, after[i] - before[i]);
        sum += after[i] - before[i];
    }
    return sum == 0 ? 0 : static_cast<double>(most) * static_cast<double>(after.size()) / static_cast<double>(sum);
}

double percentile_us(const std::array<std::uint64_t, 64>& before, const std::array<std::uint64_t, 64>& after, double part)
{
    double all = 0, sum = 0;
    for (std::size_t i = 0; i < after.size(); ++i)
        all += static_cast<double>(after[i] - before[i]);
    for (std::size_t i = 0; i < after.size(); ++i)
        if ((sum += static_cast<double>(after[i] - before[i])) >= part * all) return std::pow(2.0, static_cast<double>(i) / 2);
    return 0;
}

measured difference(const snapshot& before, const snapshot& after)
{
    measured result;
    const double seconds       = std::chrono::duration<double>(after.at - before.at).count();
    const auto answers         = static_cast<double>(std::max<std::uint64_t>(after.answers - before.answers, 1));
    result.requests_per_second = answers / seconds;
    result.cpu_us_per_request  = static_cast<double>(after.time - before.time) / 1'000 / answers;
    result.latency_us          = static_cast<double>(after.latency - before.latency) / 1'000 / answers;
    result.latency_99_us       = percentile_us(before.histogram, after.histogram, 0.99);
    result.failures            = after.failures - before.failures;
    result.sleeps_per_request  = static_cast<double>(after.sleeps - before.sleeps) / answers;
    result.connections         = std::accumulate(after.accepts.begin(), after.accepts.end(), std::uint64_t{0}) -
                         std::accumulate(before.accepts.begin(), before.accepts.end(), std::uint64_t{0});
    const auto connections  = static_cast<double>(std::max<std::uint64_t>(result.connections, 1));
    result.busiest_share    = busiest(before.accepts, after.accepts);
    result.busiest_requests = busiest(before.requests, after.requests);
    if (after.wakes == before.wakes) return result; // not counted
    // epoll_wait goes back to sleep by itself when another worker was faster: that is a sleep without a return. Not all
    // returns have slept, so this count is the least that it can have been.
    const auto returns             = static_cast<double>(after.wakes - before.wakes);
    const double in_kernel         = std::max(0.0, static_cast<double>(after.sleeps - before.sleeps) - returns);
    result.wasted_per_connection   = (static_cast<double>(after.wasted - before.wasted) + in_kernel) / connections;
    result.wakes_per_request       = static_cast<double>(after.wakes - before.wakes) / answers;
    result.hands_on_per_connection = static_cast<double>(after.hands_on - before.hands_on) / connections;
    return result;
}

} // namespace

measured run_round(scheme& subject, const workload& load, const round_options& options)
{
    const shared_value<all_counters> counters;
    const shared_value<client_counters> client;
    const std::uint16_t port = subject.prepare(options.workers);

    std::vector<process> processes;
    std::vector<pid_t> pids;
    for (unsigned i = 0; i < options.workers && !subject.foreign(); ++i)
        processes.emplace_back([&] { subject.work(i, (*counters)[i]); });
    for (const process& one : processes)
        pids.push_back(one.pid());
    for (const pid_t helper : subject.helpers()) {
        pids.push_back(helper);
        if (!subject.foreign()) processes.emplace_back(helper);
    }
    ::poll(nullptr, 0, 20); // all workers wait by now; if not, the warm-up has them
    const process clients([&] { run_client(load, port, options.seed, *client); });
    ::poll(nullptr, 0, static_cast<int>(options.warm_up.count()));
    subject.count(*counters);
    const snapshot before(*counters, options.workers, *client, pids);
    ::poll(nullptr, 0, static_cast<int>(options.window.count()));
    subject.count(*counters);
    const snapshot after(*counters, options.workers, *client, pids);
    client->stop = true;
    return difference(before, after);
}

} // namespace accept_bench
