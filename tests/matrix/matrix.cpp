#include "matrix/matrix.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

namespace test {
namespace {

constexpr std::string_view between_tests = "<br>";

bool is_id(std::string_view word)
{
    const auto hyphen = word.find('-');
    if (hyphen == std::string_view::npos || hyphen == 0 || hyphen + 1 == word.size()) return false;
    const auto upper = [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; };
    const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
    return std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(hyphen), upper) &&
           std::all_of(word.begin() + static_cast<std::ptrdiff_t>(hyphen) + 1, word.end(), digit);
}

std::string_view trimmed(std::string_view text)
{
    const auto begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> split(std::string_view text, std::string_view separator)
{
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(separator, begin), text.size());
        if (const auto part = trimmed(text.substr(begin, end - begin)); !part.empty()) parts.emplace_back(part);
        begin = end + separator.size();
    }
    return parts;
}

std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// The cells of a table's row; none if it is not one. A bar within a cell is written as \|.
std::vector<std::string> cells_of(std::string_view line)
{
    std::vector<std::string> cells;
    line = trimmed(line);
    if (line.size() < 2 || line.front() != '|' || line.back() != '|') return cells;
    std::string cell;
    for (std::size_t i = 1; i < line.size(); ++i) {
        if (line[i] == '|' && line[i - 1] != '\\') {
            cells.emplace_back(trimmed(cell));
            cell.clear();
        } else {
            cell += line[i];
        }
    }
    return cells;
}

std::vector<std::string> rule_cells(std::string_view line)
{
    auto cells = cells_of(line);
    if (cells.size() != 4 || !is_id(cells.front())) cells.clear();
    return cells;
}

std::vector<const test_result*> tests_of(const std::string& id, const std::vector<test_result>& results)
{
    std::vector<const test_result*> all;
    for (const test_result& one : results)
        if (std::find(one.ids.begin(), one.ids.end(), id) != one.ids.end()) all.push_back(&one);
    return all;
}

// Neither of the two is a pass.
outcome outcome_of(std::string_view word)
{
    return word == "passed" ? outcome::passed : word == "skipped" ? outcome::skipped : outcome::failed;
}

std::string_view verdict_of(const std::vector<const test_result*>& tests)
{
    const auto count = [&](outcome wanted) {
        return std::count_if(tests.begin(), tests.end(), [&](const auto* test) { return test->became == wanted; });
    };
    if (tests.empty()) return "missing";
    if (count(outcome::failed) > 0) return "FAIL";
    if (count(outcome::skipped) == 0) return "pass";
    return count(outcome::passed) > 0 ? "partly" : "skipped";
}

std::string padded(std::string text, std::size_t width)
{
    text.resize(std::max(text.size(), width), ' ');
    return text;
}

} // namespace

std::vector<rule> rules_in(std::string_view page)
{
    std::vector<rule> rules;
    for (const auto line : lines_of(page))
        if (const auto cells = rule_cells(line); !cells.empty())
            rules.push_back({cells[0], cells[1], split(cells[3], between_tests)});
    return rules;
}

std::vector<test_result> results_in(std::string_view log)
{
    std::vector<test_result> results;
    for (const auto line : lines_of(log)) {
        const auto first = line.find('\t'), second = line.find('\t', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) continue;
        const auto third = std::min(line.find('\t', second + 1), line.size());
        test_result one;
        one.name   = line.substr(second + 1, third - second - 1);
        one.became = outcome_of(line.substr(0, first));
        one.reason = line.substr(std::min(third + 1, line.size()));
        std::string tags(line.substr(first + 1, second - first - 1)); // "[REG-2][G1]"
        std::replace(tags.begin(), tags.end(), '[', ']');
        for (const std::string& tag : split(tags, "]"))
            if (is_id(tag)) one.ids.push_back(tag);
        const auto same = [&](const test_result& other) { return other.name == one.name; };
        std::erase_if(results, same);
        results.push_back(std::move(one));
    }
    return results;
}

matrix make_matrix(const std::vector<rule>& rules, const std::vector<test_result>& results)
{
    std::string rows, problems;
    std::map<std::string_view, int> counts;
    std::set<std::string> known;
    for (const rule& one : rules) {
        const auto tests               = tests_of(one.id, results);
        const std::string_view verdict = verdict_of(tests);
        ++counts[verdict];
        rows += padded(one.id, 9) + padded(std::string(verdict), 9) + one.statement + "\n";
        for (const test_result* const test : tests) {
            if (test->became == outcome::failed) rows += padded("", 18) + "failed: " + test->name + "\n";
            if (test->became == outcome::skipped) rows += padded("", 18) + "skipped: " + test->name + " (" + test->reason + ")\n";
        }
        for (const std::string& named : one.tests)
            if (std::none_of(tests.begin(), tests.end(), [&](const auto* test) { return test->name == named; }))
                problems += one.id + ": the page names a test that does not exist or did not run: " + named + "\n";
        if (!known.insert(one.id).second) problems += one.id + ": there are two rules of this number\n";
    }
    for (const test_result& one : results)
        for (const std::string& id : one.ids)
            if (!known.contains(id))
                problems += id + ": there is no such rule, but this test is tagged with it: " + one.name + "\n";

    matrix made;
    made.proven   = !rules.empty() && problems.empty() && counts["missing"] == 0 && counts["FAIL"] == 0;
    made.complete = counts["partly"] == 0 && counts["skipped"] == 0;
    made.text     = rows + (problems.empty() ? "" : "\n" + problems) + "\n" + std::to_string(rules.size()) +
                " rules: " + std::to_string(counts["pass"]) + " pass, " + std::to_string(counts["partly"]) +
                " proven only in part, " + std::to_string(counts["skipped"]) + " not proven on this machine, " +
                std::to_string(counts["FAIL"]) + " fail, " + std::to_string(counts["missing"]) + " without a test that ran\n";
    return made;
}

std::string skipped_in(const std::vector<test_result>& results)
{
    std::string text;
    std::size_t count = 0;
    for (const test_result& one : results) {
        if (one.became != outcome::skipped) continue;
        text += "  " + one.name + ": " + one.reason + "\n";
        ++count;
    }
    if (count == 0) return {};
    return std::to_string(count) + " of " + std::to_string(results.size()) + " cases skipped, in whole or in part:\n" + text;
}

std::string with_tests(std::string_view page, const std::vector<test_result>& results)
{
    std::string text;
    for (const auto line : lines_of(page)) {
        if (const auto cells = rule_cells(line); !cells.empty()) {
            text += "| " + cells[0] + " | " + cells[1] + " |" + (cells[2].empty() ? "" : " " + cells[2]) + " |";
            const auto tests = tests_of(cells[0], results);
            for (std::size_t i = 0; i < tests.size(); ++i)
                text += (i == 0 ? " " : std::string(between_tests)) + tests[i]->name;
            text += " |";
        } else {
            text += line;
        }
        text += '\n';
    }
    return text;
}

} // namespace test
