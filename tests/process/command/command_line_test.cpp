// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The sharedsock program's command line: arguments without a meaning, the end of failures, help and version.
#include "process/command/command_stage.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

using namespace test::command;

TEST_CASE("a command line without a meaning ends with 2 and one sentence on stderr", "[command]")
{
    stage stage;
    for (const auto& words : {std::vector<std::string>{"dance"},
                              {},
                              {"show"},
                              {"list", "too", "much"},
                              {"list", "--force"},
                              {"show", "a", "--colour"},
                              {"show", "no/name"},
                              {"sweep"},
                              {"sweep", "a", "--all"},
                              {"list", "--all=yes"}}) {
        INFO((words.empty() ? "nothing" : words.back()));
        const answer told = stage.command(words);
        CHECK(told.code == 2);
        CHECK(told.out.empty());
        CHECK(std::count(told.err.begin(), told.err.end(), '\n') == 1);
        CHECK(told.err.starts_with("sharedsock: "));
    }
}

TEST_CASE("the command's failure is a JSON document with --json", "[command]")
{
    stage stage;
    const answer told = stage.command({"show", "absent", "--json"});
    CHECK(told.code == 1);
    CHECK(told.json().get<int>("exit_code") == 1);
    CHECK_THAT(told.json().get<std::string>("error"), test::contains("there is no segment 'absent'"));
}

TEST_CASE("the command ends with 3 if the directory cannot be read", "[command]")
{
    const answer told = run({SHAREDSOCK_COMMAND_PATH, "list", "--directory", "/nowhere"});
    CHECK(told.code == 3);
    CHECK_THAT(told.err, test::contains("'/nowhere' cannot be read"));
}

TEST_CASE("the command tells help and version, for all verbs and for each", "[command]")
{
    const answer help = run({SHAREDSOCK_COMMAND_PATH, "--help"});
    CHECK(help.code == 0);
    for (const char* verb : {"list", "show", "who", "check", "sweep", "rm"}) {
        CHECK_THAT(help.out, test::contains(std::string("\n  ") + verb + ' '));
        const answer one = run({SHAREDSOCK_COMMAND_PATH, verb, "--help"});
        CHECK(one.code == 0);
        CHECK_THAT(one.out, test::contains(std::string("usage: sharedsock ") + verb));
    }
    CHECK_THAT(help.out, test::contains("Exit codes"));
    CHECK(std::regex_search(run({SHAREDSOCK_COMMAND_PATH, "--version"}).out,
                            std::regex("^sharedsock [0-9.]+, segment layout [0-9]+")));
    CHECK_NOTHROW(run({SHAREDSOCK_COMMAND_PATH, "--version", "--json"}).json());
}
