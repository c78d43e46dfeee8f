// The conformance matrix: the results of the tests of every rule. Pure functions over text; main.cpp reads and writes the files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace test {

/// One row of the rules' page, docs/semantics.md: `| REG-2 | rule | choices | tests |`.
struct rule {
    std::string id;
    std::string statement;
    std::vector<std::string> tests; ///< those that the page names
};

enum class outcome { passed, failed, skipped };

/// The result of one test case.
struct test_result {
    std::string name;
    std::vector<std::string> ids; ///< the rules in its tags; other tags are passed over
    outcome became = outcome::failed;
    std::string reason; ///< why it was skipped, in whole or in part
};

/// The rows of all tables whose first cell is an id: capital messages, a hyphen, a number. Other lines mean nothing.
std::vector<rule> rules_in(std::string_view page);

/// Results as the test binary logs them: "passed|failed|skipped <tab> tags <tab> name [<tab> reason]", a line for each. Of a name
/// that comes twice the last counts.
std::vector<test_result> results_in(std::string_view log);

struct matrix {
    std::string text;      ///< for people: a line for each rule, its faults below
    bool proven   = false; ///< every rule has tests, none failed, and tests and page name no rule or test that does not exist
    bool complete = false; ///< no test of a rule was skipped
};
matrix make_matrix(const std::vector<rule>& rules, const std::vector<test_result>& results);

/// For people: which cases were skipped, and why; empty if none was.
std::string skipped_in(const std::vector<test_result>& results);

/// The page with the last cell of each rule written anew: the names of the tests that carry its id.
std::string with_tests(std::string_view page, const std::vector<test_result>& results);

} // namespace test
