// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Scenarios that know only the public API, mixed at random, and books beside the segment. tests/soak.sh --ledger runs them for as
// long as one likes; the ordinary run takes some seconds. A seed makes two runs alike, not equal: the scheduler takes part.
//
//   SHAREDSOCK_LEDGER_SECONDS   how long
//   SHAREDSOCK_LEDGER_SEED      the seed of a run that is to be repeated
//   SHAREDSOCK_LEDGER_WITHOUT   scenarios and parts of them to leave out, with commas between: to find a cause, never to pass
//   SHAREDSOCK_LEDGER_ONLY      the scenarios to run, to find a cause
#include "soak/ledger_judge.hpp"
#include "support/catch.hpp"
#include "support/descriptors.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

std::string from_environment(const char* name)
{
    const char* const text = std::getenv(name);
    return text != nullptr ? text : "";
}

std::uint32_t number_from_environment(const char* name, std::uint32_t otherwise)
{
    const std::string text = from_environment(name);
    return text.empty() ? otherwise : static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
}

template <std::size_t N>
bool among(const char* const (&all)[N], const std::string& one)
{
    return std::find(std::begin(all), std::end(all), one) != std::end(all);
}

std::vector<std::string> words_of(const std::string& text)
{
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        words.push_back(text.substr(at, end - at));
        if (!among(ledger::scenarios, words.back()) && !among(ledger::parts, words.back()))
            throw std::invalid_argument("no scenario of the ledger is called " + words.back());
        at = end + 1;
    }
    return words;
}

ledger::plan plan_of_this_run()
{
    ledger::plan made;
    made.seed       = number_from_environment("SHAREDSOCK_LEDGER_SEED", std::random_device()());
    made.without    = from_environment("SHAREDSOCK_LEDGER_WITHOUT");
    const auto out  = words_of(made.without);
    const auto only = words_of(from_environment("SHAREDSOCK_LEDGER_ONLY"));
    for (const std::string each : ledger::scenarios)
        if (std::find(out.begin(), out.end(), each) == out.end() &&
            (only.empty() || std::find(only.begin(), only.end(), each) != only.end()))
            made.scenarios.push_back(each);
    if (made.scenarios.empty()) throw std::invalid_argument("no scenario of the ledger is left");
    return made;
}

} // namespace

TEST_CASE(
    "processes that fork, execute, end and are killed with anything pending lose nothing, and every byte and hand-over comes once",
    "[ledger]")
{
    const ledger::plan how = plan_of_this_run();
    const auto duration    = std::chrono::seconds(number_from_environment("SHAREDSOCK_LEDGER_SECONDS", 20));
    std::printf("seed %u\n", how.seed);
    if (::geteuid() != 0) std::printf("skipped: pid namespaces, which only root can make\n");
    if (!how.without.empty()) std::printf("left out: %s\n", how.without.c_str());
    INFO("SHAREDSOCK_LEDGER_SEED=" << how.seed);
    const std::size_t before = test::open_descriptors();
    {
        ledger::judge judge(how);
        judge.run(duration);
        judge.say("in all");
        for (const std::string& finding : judge.findings()) {
            std::printf("found: seed %u: %s\n", how.seed, finding.c_str());
            FAIL_CHECK(finding);
        }
        if (!judge.findings().empty()) return; // the run ended early
        CHECK(judge.quiets() > 0);
        CHECK((judge.forks() > 0 || how.leaves_out("forks")));
    }
    CHECK(test::open_descriptors() == before);
}
