// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A supervisor as the first process of a container, or as a subreaper.
#include "deployment/conversation.hpp"
#include "deployment/service.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/skip.hpp"

#include <csignal>
#include <string>

using test::client;
using test::service;

namespace {

bool exists(const service& s, const std::string& pid) { return client(s.port()).ask("exists " + pid) == "yes"; }

} // namespace

TEST_CASE("a supervisor that was asked to reaps the orphans that it inherits, and replaces its workers as ever", "[fault-128]")
{
    const std::string how = GENERATE("subreaper reaps", "pid-1 reaps");
    INFO(how);
    service s({.options = "workers=2", .how = how});
    if (!s.possible()) {
        test::skip("this process may not make a pid namespace");
        return;
    }
    s.wait_for_all({"0 ready 1", "1 ready 1"});
    for (int i = 0; i < 3; ++i) {
        const std::string orphan = client(s.port()).ask("orphan");
        REQUIRE(std::stoi(orphan) > 0);
        CHECK(test::eventually([&] { return !exists(s, orphan); }));
    }
    client one(s.port());
    CHECK(one.ask("die") == "end"); // killed by itself
    s.wait_for("0 starting 2", "1 starting 2");
    CHECK(s.has_said("was killed by signal 9"));
    s.signal(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
    CHECK(s.wait() == 0);
}

TEST_CASE("a supervisor that was not asked to leaves the orphans that it inherits", "[fault-128]")
{
    service s({.how = "subreaper"});
    s.wait_for_worker("0 ready 1");
    const std::string orphan = client(s.port()).ask("orphan");
    s.signal(SIGHUP); // the supervisor has polled by then
    s.wait_for_worker("0 ready 2");
    CHECK(exists(s, orphan));
    s.signal(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
}

TEST_CASE("the first process of a container drains when it gets a stop signal", "[fault-128]")
{
    const std::string kind = GENERATE("forked", "executed");
    service s({.kind = kind, .how = "pid-1"});
    if (!s.possible()) {
        test::skip("this process may not make a pid namespace");
        return;
    }
    s.wait_for_worker("0 ready 1");
    client one(s.port());
    s.signal(SIGTERM); // as `docker stop` does
    s.wait_for("0 draining 1");
    CHECK(one.ask("go") == "answer");
    CHECK(s.wait_for("end: ") == "in order");
    CHECK(s.wait() == 0);
}
