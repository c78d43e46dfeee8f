// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Processes with few descriptors or little address space: each operation works, or says what is short, and leaves nothing.
#include "deployment/filtered_operation.hpp"
#include "fault/harness/call_survivor.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/skip.hpp"
#include "support/unique_name.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace ss = sharedsock;

using namespace std::string_view_literals;

namespace {

// Of this process, in bytes.
std::size_t address_space()
{
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Does every public operation under the limit, each in a process of its own. Returns how many were done.
std::size_t do_all(const std::string& limit, const std::string& value, std::initializer_list<std::string_view> shortages)
{
    test::call_survivor here;
    const auto ends_well = [&](const std::string& outcome) {
        return outcome == "done" || std::any_of(shortages.begin(), shortages.end(),
                                                [&](std::string_view one) { return outcome.find(one) != std::string::npos; });
    };
    std::size_t done = 0;
    for (const auto& [operation, one] : test::public_operations()) {
        INFO(operation);
        test::filtered_operation answers;
        try {
            test::child_process child("does one operation under a filter",
                                      {operation, here.directory(), "early", "0", "0", limit, value});
            child.tell(here.next_ticket(child.pid()));
            child.wait_for("ready");
            answers = test::filtered_operation::of(child);
        } catch (const std::exception& hung_or_crashed) {
            FAIL_CHECK(hung_or_crashed.what());
        }
        INFO("outcome: " << answers.outcome << "; verdict: " << answers.verdict);
        CHECK(ends_well(answers.outcome));
        CHECK(ends_well(answers.verdict));
        done += answers.verdict == "done";
        if (answers.verdict != "done") std::printf("with %s %s, not done: %s\n", value.c_str(), limit.c_str(), operation.c_str());
        here.check();
    }
    return done;
}

} // namespace

TEST_CASE("with twenty descriptors each operation works or says that there are too many open files", "[fault-175]")
{
    const auto shortages = {"Too many open files"sv, "too many files"sv,
                            "socketpair"sv}; // the last: a call of the operation itself
    CHECK(do_all("descriptors", "20", shortages) > 0);
    CHECK(do_all("descriptors", "32", shortages) >= 30);
    CHECK(do_all("descriptors", "48", {}) == test::public_operations().size());
}

TEST_CASE("with 64 MiB of address space each operation works or says what is short", "[fault-176]")
{
#ifdef SHAREDSOCK_TEST_SANITIZED
    test::skip("a sanitizer needs more address space than that");
#else
    CHECK(do_all("megabytes", "64", {"out of memory", "RLIMIT_AS", "Cannot allocate memory", "Resource temporarily unavailable"}) >=
          40);
#endif
}

TEST_CASE("a segment that does not fit into the address space is an error that names the limit, and nothing is left", "[fault-176]")
{
#ifdef SHAREDSOCK_TEST_SANITIZED
    test::skip("a sanitizer needs more address space than that");
#else
    const std::string large = test::unique_name(), other = test::unique_name();
    ss::segment::create(large, {.sockets = 400'000, .processes = 16}); // and detaches
    CHECK(test::in_child([&] {
              const rlimit limit{address_space() + (std::size_t{16} << 20), RLIM_INFINITY};
              ::setrlimit(RLIMIT_AS, &limit);
              std::string said;
              ss::error_code ec;
              const auto tell = [&] {
                  const bool names = ec.message().find("RLIMIT_AS") != std::string::npos;
                  said +=
                      ec == ss::errc::address_space_full && ec == std::errc::not_enough_memory && names ? "told " : ec.message();
              };
              ss::segment::open(large, {}, ec);
              tell();
              ss::segment::create(other, {.sockets = 400'000}, ec);
              tell();
              ss::segment::create(other, {.sockets = 64}, ec);
              return said + (ec ? ec.message() : "made");
          }) == "told told made");
    CHECK(ss::segment::remove(other));
    CHECK(ss::segment::remove(large));
#endif
}
