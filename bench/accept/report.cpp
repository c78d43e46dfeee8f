// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/report.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace accept_bench {
namespace {

constexpr double measured::*figures[] = {
    &measured::requests_per_second, &measured::cpu_us_per_request,      &measured::busiest_share,
    &measured::busiest_requests,    &measured::wasted_per_connection,   &measured::wakes_per_request,
    &measured::sleeps_per_request,  &measured::hands_on_per_connection, &measured::latency_us,
    &measured::latency_99_us};
constexpr const char* figure_names[] = {
    "requests_per_second", "cpu_us_per_request", "busiest_share",           "busiest_requests", "wasted_per_connection",
    "wakes_per_request",   "sleeps_per_request", "hands_on_per_connection", "latency_us",       "latency_99_us"};

double middle(std::vector<double> values)
{
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Of the workers on raw epoll; a dispatcher's time is another matter, and nginx another server.
bool raw_epoll(const std::string& name)
{
    return name == "plain" || name == "exclusive" || name == "reuseport" || name == "shared-epoll";
}

} // namespace

measured median(const std::vector<measured>& rounds)
{
    measured result;
    for (double measured::*const figure : figures) {
        std::vector<double> values;
        for (const measured& one : rounds)
            values.push_back(one.*figure);
        result.*figure = middle(values);
    }
    for (const measured& one : rounds) {
        result.connections += one.connections;
        result.failures += one.failures;
    }
    return result;
}

double cpu_ratio(const std::vector<measured>& subject, const std::vector<measured>& reference)
{
    std::vector<double> ratios;
    for (std::size_t i = 0; i < std::min(subject.size(), reference.size()); ++i)
        ratios.push_back(subject[i].cpu_us_per_request / reference[i].cpu_us_per_request);
    return middle(ratios);
}

double least_cpu(const std::vector<measured>& rounds)
{
    double least = 0;
    for (const measured& one : rounds)
        if (one.cpu_us_per_request > 0 && (least == 0 || one.cpu_us_per_request < least))
            least = one.cpu_us_per_request; // 0: no worker got to run
    return least;
}

void print_table(const comparison& one)
{
    const std::vector<measured>* exclusive = nullptr;
    const std::vector<measured>* best      = nullptr;
    const std::vector<measured>* beast     = nullptr; // nginx and prefork_http are compared with it
    const std::vector<measured>* asio      = nullptr; // Asio's own share of that
    for (const auto& [name, rounds] : one.rounds) {
        if (name == "exclusive") exclusive = &rounds;
        if (name == "raw-beast") beast = &rounds;
        if (name == "asio-beast") asio = &rounds;
        if (raw_epoll(name) && (best == nullptr || least_cpu(rounds) < least_cpu(*best))) best = &rounds;
    }
    std::printf("\n%s; %u workers\n", describe(one.load).c_str(), one.workers);
    std::printf("  %-13s %9s %8s %7s %8s %7s %7s %7s %7s %8s %8s %8s %9s %9s %8s %8s\n", "scheme", "req/s", "CPU us", "/excl",
                "least us", "/excl", "/best", "/beast", "/asio", "accepts", "requests", "wasted", "wakes/req", "sleep/req",
                "mean us", "99 % us");
    for (const std::string& name : one.names) {
        const auto& rounds = one.rounds.at(name);
        const measured m   = median(rounds);
        const double least = least_cpu(rounds);
        std::printf(
            "  %-13s %9.0f %8.2f %7.3f %8.2f %7.3f %7.3f %7.3f %7.3f %8.2f %8.2f %8.3f %9.2f %9.2f %8.0f %8.0f", name.c_str(),
            m.requests_per_second, m.cpu_us_per_request, exclusive != nullptr ? cpu_ratio(rounds, *exclusive) : 0, least,
            exclusive != nullptr ? least / least_cpu(*exclusive) : 0, best != nullptr ? least / least_cpu(*best) : 0,
            beast != nullptr ? least / least_cpu(*beast) : 0, asio != nullptr ? least / least_cpu(*asio) : 0, m.busiest_share,
            m.busiest_requests, m.wasted_per_connection, m.wakes_per_request, m.sleeps_per_request, m.latency_us, m.latency_99_us);
        if (m.hands_on_per_connection > 0) std::printf("  %.2f moves a connection", m.hands_on_per_connection);
        if (m.failures != 0) std::printf("  %llu FAILURES", static_cast<unsigned long long>(m.failures));
        std::printf("\n");
    }
    std::fflush(stdout);
}

std::string as_json(const std::vector<comparison>& all)
{
    std::ostringstream text;
    text << "[";
    const char* between = "\n";
    for (const comparison& one : all)
        for (const std::string& name : one.names) {
            const measured m = median(one.rounds.at(name));
            text << between << R"( {"load": ")" << describe(one.load) << R"(", "workers": )" << one.workers << R"(, "scheme": ")"
                 << name << '"';
            for (std::size_t i = 0; i < std::size(figures); ++i)
                text << ", \"" << figure_names[i] << "\": " << m.*figures[i];
            text << ", \"least_cpu_us_per_request\": " << least_cpu(one.rounds.at(name)) << ", \"connections\": " << m.connections
                 << ", \"failures\": " << m.failures << "}";
            between = ",\n";
        }
    text << "\n]\n";
    return text.str();
}

} // namespace accept_bench
