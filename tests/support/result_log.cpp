// Logs the result of each test case, a line at its end, into the file that SHAREDSOCK_TEST_RESULTS names: "passed|failed <tab>
// tags <tab> name". The conformance matrix reads it; a binary that crashes leaves the lines of the cases before.
#define CATCH_CONFIG_EXTERNAL_INTERFACES // for Catch2 2: its listeners are not part of the header that a test includes

#include "support/catch.hpp"

#include <cstdlib>
#include <fstream>

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using listener_base = Catch::EventListenerBase;
const Catch::TestCaseInfo& info_of(const Catch::TestCaseStats& stats) { return *stats.testInfo; }
#else
using listener_base = Catch::TestEventListenerBase;
const Catch::TestCaseInfo& info_of(const Catch::TestCaseStats& stats) { return stats.testInfo; }
#endif

class result_log final : public listener_base {
public:
    using listener_base::listener_base;

    void testRunStarting(const Catch::TestRunInfo&) override
    {
        if (const char* const path = std::getenv("SHAREDSOCK_TEST_RESULTS")) file_.open(path, std::ios::trunc);
    }
    void testCaseEnded(const Catch::TestCaseStats& stats) override
    {
        if (!file_.is_open()) return;
        const Catch::TestCaseInfo& about = info_of(stats);
        file_ << (stats.totals.assertions.failed == 0 ? "passed" : "failed") << '\t' << about.tagsAsString() << '\t' << about.name
              << std::endl;
    }

private:
    std::ofstream file_;
};

CATCH_REGISTER_LISTENER(result_log)

} // namespace
