// conformance_matrix RULES RESULTS            prints the result of every rule; exit code 1 if one is not proven, 4 if one is
//                                             proven only in part, because a test of the rule was skipped
// conformance_matrix --update RULES RESULTS   writes the names of the tests into the page of the rules
// conformance_matrix --skipped RESULTS        prints which test cases were skipped, and why; exit code 4 if there are any
//
// RULES is docs/semantics.md. RESULTS is the log of the test binary: `result_log.cpp`. For ctest, 4 means skipped.
#include "matrix/matrix.hpp"

#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace {

constexpr int not_proven  = 1;
constexpr int wrong_usage = 2;
constexpr int has_skipped = 4;

std::string read(const char* path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(std::string("cannot read ") + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

int update(const char* page_path, const char* log_path)
{
    const std::string page = test::with_tests(read(page_path), test::results_in(read(log_path)));
    std::ofstream file(page_path, std::ios::binary | std::ios::trunc);
    if (!(file << page).flush()) throw std::runtime_error(std::string("cannot write ") + page_path);
    return 0;
}

int print(const char* page_path, const char* log_path)
{
    const test::matrix made = test::make_matrix(test::rules_in(read(page_path)), test::results_in(read(log_path)));
    std::cout << made.text;
    if (!made.proven) return not_proven;
    return made.complete ? 0 : has_skipped;
}

int print_skipped(const char* log_path)
{
    const auto results     = test::results_in(read(log_path));
    const std::string text = test::skipped_in(results);
    std::cout << (text.empty() ? "no case was skipped\n" : text);
    return text.empty() ? 0 : has_skipped;
}

} // namespace

int main(int argc, char** argv)
try {
    if (argc == 4 && std::string_view(argv[1]) == "--update") return update(argv[2], argv[3]);
    if (argc == 3 && std::string_view(argv[1]) == "--skipped") return print_skipped(argv[2]);
    if (argc == 3) return print(argv[1], argv[2]);
    std::cerr << "usage: conformance_matrix [--update] RULES RESULTS\n       conformance_matrix --skipped RESULTS\n";
    return wrong_usage;
} catch (const std::exception& failure) {
    std::cerr << "conformance_matrix: " << failure.what() << "\n";
    return wrong_usage;
}
