// The results of the test cases: counted for the exit code and the last lines of the output, and logged into the file that
// SHAREDSOCK_TEST_RESULTS names, one line per case: "passed|failed|skipped <tab> tags <tab> name", and of a skipped case
// "<tab> reason". The conformance matrix and the ctest tests <label>.<binary>.skipped read that file; a binary that crashes leaves
// the lines of the cases before.
#define CATCH_CONFIG_EXTERNAL_INTERFACES // for Catch2 2: its listeners are not in the header that a test includes

#include "support/catch.hpp"
#include "support/skip.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using listener_base = Catch::EventListenerBase;
const Catch::TestCaseInfo& info_of(const Catch::TestCaseStats& stats) { return *stats.testInfo; }
#else
using listener_base = Catch::TestEventListenerBase;
const Catch::TestCaseInfo& info_of(const Catch::TestCaseStats& stats) { return stats.testInfo; }
#endif

struct skipped_case {
    std::string name;
    std::string reason;
};

// Of the one run of this process.
struct run_record {
    std::size_t cases = 0;
    std::vector<skipped_case> skipped;
    std::vector<std::string> reasons; // of the case that runs
};
run_record& the_run()
{
    static run_record one;
    return one;
}

// A case that runs several times, for its sections or generated values, may have the same reason each time.
std::string joined(const std::vector<std::string>& reasons)
{
    std::string text;
    for (const std::string& one : reasons)
        text += (text.empty() ? "" : "; ") + one;
    return text;
}

class result_log final : public listener_base {
public:
    using listener_base::listener_base;

    void testRunStarting(const Catch::TestRunInfo&) override
    {
        if (const char* const path = std::getenv("SHAREDSOCK_TEST_RESULTS")) file_.open(path, std::ios::trunc);
    }
    void testCaseEnded(const Catch::TestCaseStats& stats) override
    {
        const Catch::TestCaseInfo& about = info_of(stats);
        const std::string reason         = joined(std::exchange(the_run().reasons, {}));
        const bool failed                = stats.totals.assertions.failed != 0;
        const bool skipped               = !failed && !reason.empty();
        ++the_run().cases;
        if (skipped) the_run().skipped.push_back({about.name, reason});
        if (!file_.is_open()) return;
        file_ << (failed ? "failed" : skipped ? "skipped" : "passed") << '\t' << about.tagsAsString() << '\t' << about.name;
        if (skipped) file_ << '\t' << reason;
        file_ << std::endl;
    }

private:
    std::ofstream file_;
};

CATCH_REGISTER_LISTENER(result_log)

} // namespace

namespace test {

void skip(const std::string& reason)
{
    auto& reasons = the_run().reasons;
    if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) reasons.push_back(reason);
}

int finish_run(int result)
{
    const run_record& run = the_run();
    if (!run.skipped.empty()) {
        std::printf("%zu of %zu cases skipped, in whole or in part:\n", run.skipped.size(), run.cases);
        for (const skipped_case& one : run.skipped)
            std::printf("  %s: %s\n", one.name.c_str(), one.reason.c_str());
    }
    if (result != 0) return result == all_skipped ? 1 : result;
    return run.cases > 0 && run.skipped.size() == run.cases ? all_skipped : 0;
}

} // namespace test
