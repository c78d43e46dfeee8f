#include "matrix/matrix.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using test::make_matrix;
using test::results_in;
using test::rules_in;

namespace {

const std::string rule_page = "# Rules\n"
                              "| id | rule | choices | tests |\n"
                              "|---|---|---|---|\n"
                              "| REG-1 | one thing | | |\n"
                              "| REG-2 | READ\\|WRITE at once | (choice) so | a test<br>another test |\n"
                              "text | with | bars |\n";
const std::string logged    = "passed\t[REG-1]\tfirst\n"
                              "passed\t[G1][REG-2][fault-7]\ta test\n"
                              "passed\t[REG-1][REG-2]\tanother test\n";

bool proven(const std::string& rules, const std::string& results)
{
    return make_matrix(rules_in(rules), results_in(results)).proven;
}
std::string text_of(const std::string& rules, const std::string& results)
{
    return make_matrix(rules_in(rules), results_in(results)).text;
}

} // namespace

TEST_CASE("the rules are the rows of the tables that begin with an id", "[matrix]")
{
    const auto rules = rules_in(rule_page);
    REQUIRE(rules.size() == 2);
    CHECK(rules[0].id == "REG-1");
    CHECK(rules[0].statement == "one thing");
    CHECK(rules[0].tests.empty());
    CHECK(rules[1].statement == "READ\\|WRITE at once");
    CHECK(rules[1].tests == std::vector<std::string>{"a test", "another test"});
}

TEST_CASE("results know the ids among the tags, and the last of a name counts", "[matrix]")
{
    const auto results = results_in(logged + "failed\t[REG-2]\ta test\n" + "no line of a log\n");
    REQUIRE(results.size() == 3);
    CHECK(results[2].name == "a test");
    CHECK(results[2].ids == std::vector<std::string>{"REG-2"});
    CHECK(results[2].became == test::outcome::failed);
}

TEST_CASE("a skipped result has its reason beside its name", "[matrix]")
{
    const auto results = results_in("skipped\t[REG-1]\ta name\tno network\npassed\t\tanother\n");
    REQUIRE(results.size() == 2);
    CHECK(results[0].name == "a name");
    CHECK(results[0].became == test::outcome::skipped);
    CHECK(results[0].reason == "no network");
    CHECK(results[1].name == "another");
    CHECK(results[1].reason.empty());
}

TEST_CASE("rules are proven when each has tests and all of them pass", "[matrix]") { CHECK(proven(rule_page, logged)); }

TEST_CASE("a rule is proven only in part if one of its tests was skipped, and the matrix names the test and the reason", "[matrix]")
{
    const auto made = make_matrix(rules_in(rule_page), results_in(logged + "skipped\t[REG-1]\tfirst\tno network\n"));
    CHECK(made.proven);
    CHECK_FALSE(made.complete);
    CHECK_THAT(made.text, test::contains("REG-1    partly") && test::contains("skipped: first (no network)"));
    CHECK_THAT(made.text, test::contains("1 pass, 1 proven only in part, 0 not proven on this machine"));
}

TEST_CASE("a rule is not proven on this machine if all its tests were skipped", "[matrix]")
{
    const auto made = make_matrix(rules_in("| REG-1 | one thing | | |\n"), results_in("skipped\t[REG-1]\tfirst\tno network\n"));
    CHECK(made.proven); // nothing failed ...
    CHECK_FALSE(made.complete);
    CHECK_THAT(made.text, test::contains("REG-1    skipped") && test::contains("0 pass, 0 proven only in part, 1 not proven"));
}

TEST_CASE("a rule fails if one of its tests failed and another was skipped", "[matrix]")
{
    const auto made = make_matrix(rules_in("| REG-1 | one thing | | |\n"),
                                  results_in("skipped\t[REG-1]\tfirst\tno network\nfailed\t[REG-1]\tlast\n"));
    CHECK_FALSE(made.proven);
    CHECK_THAT(made.text, test::contains("REG-1    FAIL"));
}

TEST_CASE("a matrix without skipped tests is complete", "[matrix]")
{
    CHECK(make_matrix(rules_in(rule_page), results_in(logged)).complete);
}

TEST_CASE("the list of skipped cases is empty if none was, and says how many of how many otherwise", "[matrix]")
{
    CHECK(test::skipped_in(results_in(logged)).empty());
    const std::string list = test::skipped_in(results_in(logged + "skipped\t\tlast\tno network\n"));
    CHECK(list == "1 of 4 cases skipped, in whole or in part:\n  last: no network\n");
}

TEST_CASE("the matrix fails and says why", "[matrix]")
{
    SECTION("for a rule without a test")
    {
        const std::string more = rule_page + "| REG-3 | another | | |\n";
        CHECK_FALSE(proven(more, logged));
        CHECK_THAT(text_of(more, logged), test::contains("REG-3    missing"));
    }
    SECTION("for a test that fails, with its name")
    {
        const std::string failing = logged + "failed\t[REG-1]\tlast\n";
        CHECK_FALSE(proven(rule_page, failing));
        CHECK_THAT(text_of(rule_page, failing), test::contains("REG-1    FAIL") && test::contains("failed: last"));
    }
    SECTION("for a test of a rule that there is not")
    {
        const std::string unknown = logged + "passed\t[REG-99]\tstray\n";
        CHECK_FALSE(proven(rule_page, unknown));
        CHECK_THAT(text_of(rule_page, unknown), test::contains("REG-99: there is no such rule") && test::contains("stray"));
    }
    SECTION("for a page that names a test that there is not, or not of that rule")
    {
        const std::string wrong = rule_page + "| REG-4 | one more | | first |\n";
        const std::string ran   = logged + "passed\t[REG-4]\tfourth\n";
        CHECK_FALSE(proven(wrong, ran));
        CHECK_THAT(text_of(wrong, ran), test::contains("REG-4: the page names a test"));
    }
    SECTION("for two rules of one number") { CHECK_FALSE(proven(rule_page + "| REG-1 | again | | |\n", logged)); }
    SECTION("for a page without rules") { CHECK_FALSE(proven("", logged)); }
}

TEST_CASE("the page is written anew with the tests that there are, and nothing else changes", "[matrix]")
{
    const std::string written = test::with_tests(rule_page, results_in(logged));
    CHECK(written == "# Rules\n"
                     "| id | rule | choices | tests |\n"
                     "|---|---|---|---|\n"
                     "| REG-1 | one thing | | first<br>another test |\n"
                     "| REG-2 | READ\\|WRITE at once | (choice) so | a test<br>another test |\n"
                     "text | with | bars |\n");
    CHECK(test::with_tests(written, results_in(logged)) == written);
}
