// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The report of a test binary about cases that skip: it runs itself over the hidden cases at the end of this file.
#include "support/skip.hpp"

#include "support/catch.hpp"
#include "support/unique_name.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace {

// Set in the runs that these tests start: a filter such as "~[skip]" selects the hidden cases as well, and must not fail by them.
constexpr const char* inner = "SHAREDSOCK_TEST_OF_SKIPPING";

bool inner_run() { return std::getenv(inner) != nullptr; }

struct run_of_this_binary {
    int code = -1;
    std::string output;
    std::string log;
};

// `cases`: as Catch2 takes them.
run_of_this_binary run(const std::string& cases)
{
    const test::scratch_directory directory;
    const std::string log = (directory.path() / "results").string();
    run_of_this_binary made;
    std::FILE* const pipe = ::popen((std::string(inner) + "=1 SHAREDSOCK_TEST_RESULTS='" + log + "' /proc/" +
                                     std::to_string(::getpid()) + "/exe '" + cases + "' 2>&1")
                                        .c_str(),
                                    "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> room;
    for (std::size_t got = 0; (got = std::fread(room.data(), 1, room.size(), pipe)) > 0;)
        made.output.append(room.data(), got);
    const int status = ::pclose(pipe);
    made.code        = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::ifstream file(log);
    made.log.assign(std::istreambuf_iterator<char>(file), {});
    return made;
}

} // namespace

TEST_CASE("a run in which every case skips ends with the exit code that ctest counts as skipped", "[skip]")
{
    const auto seen = run("[skips]");
    CHECK(seen.code == test::all_skipped);
    CHECK_THAT(seen.output, test::contains("2 of 2 cases skipped, in whole or in part:") && test::contains("no moon; no sun"));
    CHECK_THAT(seen.log, test::contains("skipped\t") && test::contains("\ta hidden case that skips\tno moon\n"));
}

TEST_CASE("a run in which one case skips and another passes succeeds, and names the skipped case", "[skip]")
{
    const auto seen = run("[skips],[passes]");
    CHECK(seen.code == 0);
    CHECK_THAT(seen.output, test::contains("2 of 3 cases skipped") && test::contains("  a hidden case that skips: no moon\n"));
    CHECK_THAT(seen.log, test::contains("passed\t") && test::contains("\ta hidden case that passes\n"));
}

TEST_CASE("a case that skips and fails counts as failed", "[skip]")
{
    const auto seen = run("[skips-and-fails]");
    CHECK(seen.code != 0);
    CHECK_THAT(seen.log, test::contains("failed\t") && !test::contains("skipped"));
}

TEST_CASE("four failed assertions are not taken for a skipped run", "[skip]")
{
    const auto seen = run("[fails-four-times]"); // Catch2 2 ends with their number
    CHECK(seen.code != 0);
    CHECK(seen.code != test::all_skipped);
}

TEST_CASE("a hidden case that skips", "[.][skips]")
{
    if (inner_run()) test::skip("no moon");
}

TEST_CASE("a hidden case that skips in each of its sections", "[.][skips]")
{
    if (!inner_run()) return;
    SECTION("the first") { test::skip("no moon"); }
    SECTION("the second") { test::skip("no sun"); }
    SECTION("the third") { test::skip("no moon"); }
}

TEST_CASE("a hidden case that passes", "[.][passes]") { CHECK(true); }

TEST_CASE("a hidden case that skips and fails", "[.][skips-and-fails]")
{
    if (!inner_run()) return;
    test::skip("no moon");
    CHECK(false);
}

TEST_CASE("a hidden case that fails four times", "[.][fails-four-times]")
{
    for (int i = 0; i < 4 && inner_run(); ++i)
        CHECK(false);
}
