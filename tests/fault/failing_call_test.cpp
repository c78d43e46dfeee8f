// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Every system call of every public operation fails once, with every error it may have: the operation reports an error, or has
// done its work all the same; it can be done again, and leaves nothing.
#include "fault/harness/call_survivor.hpp"
#include "fault/harness/outcome_of.hpp"
#include "fault/harness/sampling.hpp"
#include "fault/operations/call_errors.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <string>
#include <vector>

namespace {

using stop = test::call_tracer::stop;

// A place where an operation makes a system call: the nth one of that kind.
struct call_site {
    test::system_call call;
    int nth = 0;
};

// Runs the operation undisturbed, and returns all of its calls.
std::vector<call_site> calls_of(test::child_process& child, bool in_child)
{
    std::vector<call_site> all;
    std::map<std::string, int> count;
    test::call_tracer tracer(child.pid(), in_child);
    child.tell("go");
    for (stop at = tracer.next(); at != stop::over; at = tracer.next())
        if (at == stop::entry) all.push_back({tracer.call(), ++count[name_of(tracer.call())]});
    tracer.let_go();
    return all;
}

// False if the operation did not reach that call this time.
bool fail_at(test::child_process& child, const call_site& where, int error, bool in_child)
{
    test::call_tracer tracer(child.pid(), in_child);
    child.tell("go");
    const std::string wanted = name_of(where.call);
    int seen                 = 0;
    for (stop at = tracer.next(); at != stop::over; at = tracer.next()) {
        if (at != stop::entry || name_of(tracer.call()) != wanted || ++seen != where.nth) continue;
        tracer.fail_with(error, made_though_failed(where.call));
        tracer.let_go();
        return true;
    }
    tracer.let_go();
    return false;
}

} // namespace

TEST_CASE("an operation in which any one system call fails reports it or has done its work, can be done again, and leaves nothing",
          "[G7][G10][fault-41]")
{
    if (!test::can_fail_calls()) {
        test::skip("calls are made to fail on x86-64 only, in a build without sanitizers");
        return;
    }
    test::call_survivor here;
    test::sampling sample(400);
    struct point {
        std::string operation;
        call_site where;
        int error;
    };
    std::vector<point> points;
    for (const auto& [name, one] : test::public_operations()) {
        test::child_process child = here.prepare(name);
        for (const call_site& where : calls_of(child, one.in_child))
            for (const int error : errors_of(where.call))
                points.push_back({name, where, error});
        CHECK(test::outcome_of(child).done);
        here.check();
    }
    std::size_t failed = 0, reported = 0;
    for (const point& each : sample.of(points)) {
        INFO(sample.text() << ": " << each.operation << ", " << name_of(each.where.call) << " number " << each.where.nth << ": "
                           << ::strerrorname_np(each.error));
        try {
            test::child_process child = here.prepare(each.operation);
            failed += fail_at(child, each.where, each.error, test::public_operations().at(each.operation).in_child);
            reported += !test::outcome_of(child).done;
        } catch (const std::exception& hung_or_crashed) {
            FAIL_CHECK(hung_or_crashed.what());
        }
        here.check();
    }
    std::printf("%s: %zu operations, %zu of %zu failing calls, %zu reported as errors\n", sample.text().c_str(),
                test::public_operations().size(), failed, points.size(), reported);
    CHECK(failed > 0);
}
