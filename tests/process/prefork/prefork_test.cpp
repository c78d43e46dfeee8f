// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Supervisors and forked workers. The supervisor is a child role, so that no test binary with its reporters is forked.
#include "process/prefork/prefork_bodies.hpp"
#include "process/prefork/prefork_crew.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;
using namespace std::chrono_literals;
using test::is_deaf;
using test::is_gone;
using test::obeys;

namespace {

// The kinds of forked workers.
using body = std::function<int(prefork::worker&)>;

int never_ready(prefork::worker&)
{
    for (;;)
        ::pause();
}

int throws(prefork::worker& self) { throw std::runtime_error("no database for worker " + std::to_string(self.place())); }

int sets_its_load(prefork::worker& self)
{
    self.set_load(100 + static_cast<std::uint32_t>(self.place()));
    return obeys(self);
}

} // namespace

/// args: the kind of workers, options.
SHAREDSOCK_CHILD_ROLE("supervises forked workers")
{
    const std::map<std::string, body> kinds = {
        {"obeys", obeys},
        {"is deaf", is_deaf},
        {"never ready", never_ready},
        {"throws", throws},
        {"sets its load", sets_its_load},
        {"fails at once", [](prefork::worker&) { return 3; }},
        {"tells of its parent",
         [&role](prefork::worker& self) {
             self.ready();
             self.wait_for_drain();
             role.say(std::to_string(self.place()) + (self.parent_gone() ? " has lost its parent" : " was asked"));
             return 0;
         }},
        {"counts its descriptors",
         [&role](prefork::worker& self) {
             role.say(std::to_string(test::open_descriptors()));
             return obeys(self);
         }},
    };
    std::string log;
    pid_t own_child = 0;
    prefork::supervisor all(test::crew_role::logging(test::read_options(role.args.at(1)), log), kinds.at(role.args.at(0)));
    return test::crew_role(all, log).serve(
        role, {
                  {"bear",
                   [&](const std::string&) { // a child of the application that ends at once, with 42
                       own_child = ::fork();
                       if (own_child == 0) ::_exit(42);
                       siginfo_t ended{};
                       return std::to_string(::waitid(P_PID, static_cast<id_t>(own_child), &ended, WEXITED | WNOWAIT));
                   }},
                  {"collect",
                   [&](const std::string&) {
                       int status        = 0;
                       const pid_t found = ::waitpid(own_child, &status, WNOHANG);
                       return std::to_string(found == own_child ? WEXITSTATUS(status) : -1);
                   }},
                  {"ignore_children",
                   [](const std::string&) {
                       ::signal(SIGCHLD, SIG_IGN);
                       return std::string("done");
                   }},
                  {"most_descriptors",
                   [](const std::string& rest) {
                       rlimit limit{};
                       ::getrlimit(RLIMIT_NOFILE, &limit);
                       const int lowest = ::dup(STDIN_FILENO); // of the free numbers
                       ::close(lowest);
                       limit.rlim_cur = rest.empty() ? limit.rlim_max : static_cast<rlim_t>(lowest) + std::stoull(rest);
                       return std::to_string(::setrlimit(RLIMIT_NOFILE, &limit));
                   }},
                  {"in_a_child",
                   [&](const std::string&) { // a child's copy of a supervisor has no workers
                       const pid_t child = ::fork();
                       if (child == 0) {
                           ss::error_code ec;
                           all.poll(ec);
                           all.stop_now();
                           ::_exit(ec == std::errc::operation_not_permitted ? 0 : 1);
                       }
                       int status = 0;
                       return std::to_string(::waitpid(child, &status, 0) == child && status == 0);
                   }},
              });
}

TEST_CASE("workers are started, each in its place, and drain when they are asked to", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=3"});
    crew.tell_done("start");
    CHECK(crew.ask("status") == "0:starting:1 1:starting:1 2:starting:1");
    crew.ask("calm");
    CHECK(crew.ask("status") == "0:ready:1 1:ready:1 2:ready:1");
    const auto pids = crew.pids();
    crew.tell_done("stop");
    const std::string log = crew.ask("calm");
    CHECK_THAT(log, test::contains("1 draining"));
    CHECK_THAT(log, test::contains("1 ended (ended with 0)"));
    CHECK_THAT(log, !test::contains("terminating"));
    CHECK(crew.ask("status").empty());
    CHECK(std::all_of(pids.begin(), pids.end(), is_gone));
    CHECK(crew.ask("children") == "0");
}

TEST_CASE("wait_ready waits for all workers, and no longer than its limit", "[prefork]")
{
    test::crew_process some("supervises forked workers", {"never ready", "workers=2"});
    some.tell_done("start");
    CHECK(some.ask("wait_ready 20") == make_error_code(boost::system::errc::timed_out).message());

    test::crew_process all("supervises forked workers", {"obeys", "workers=5"});
    all.tell_done("start");
    CHECK(all.ask("wait_ready 20000") == "ready");
    CHECK(all.ask("status") == "0:ready:1 1:ready:1 2:ready:1 3:ready:1 4:ready:1");
    all.tell_done("stop");
    CHECK(all.ask("wait_ready 20000") == make_error_code(boost::system::errc::operation_canceled).message());
}

TEST_CASE("a killed worker is replaced, without a zombie or a lost descriptor", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=3"});
    crew.tell_done("start");
    crew.ask("calm");
    const std::string descriptors = crew.ask("descriptors");
    for (std::size_t round = 0; round < 30; ++round) {
        const pid_t victim = crew.pids().at(round % 3);
        ::kill(victim, SIGKILL);
        CHECK_THAT(crew.ask("until " + std::to_string(round % 3) + " starting"), test::contains("ended (was killed by signal 9)"));
        crew.ask("calm");
        CHECK(is_gone(victim));
    }
    CHECK(crew.ask("status") == "0:ready:11 1:ready:11 2:ready:11");
    CHECK(crew.ask("restarts") == "10 10 10");
    CHECK(crew.ask("descriptors") == descriptors);
    CHECK(crew.ask("children") == "3");
}

TEST_CASE("a supervisor leaves the application's own children to it", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=1"});
    crew.tell_done("start");
    crew.ask("calm");
    REQUIRE(crew.ask("bear") == "0"); // dead, not reaped
    ::kill(crew.pids().at(0), SIGKILL);
    crew.ask("until 0 starting");
    crew.ask("calm");
    CHECK(crew.ask("collect") == "42");
}

TEST_CASE("a supervisor sees the deaths of workers although SIGCHLD is ignored", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=1"});
    REQUIRE(crew.ask("ignore_children") == "done");
    crew.tell_done("start");
    crew.ask("calm");
    ::kill(crew.pids().at(0), SIGKILL);
    CHECK_THAT(crew.ask("until 0 starting"), test::contains("0 ended (ended, but its exit status is not known)"));
    crew.ask("calm");
    CHECK(crew.ask("status") == "0:ready:2");
}

TEST_CASE("a supervisor changes the number of workers while they run", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=1"});
    crew.tell_done("start");
    crew.ask("calm");
    crew.tell_done("resize 4");
    crew.ask("calm");
    CHECK(crew.ask("status") == "0:ready:1 1:ready:1 2:ready:1 3:ready:1");
    crew.tell_done("resize 2");
    CHECK_THAT(crew.ask("calm"), test::contains("3 ended (ended with 0)"));
    CHECK(crew.ask("status") == "0:ready:1 1:ready:1");
    CHECK(crew.ask("children") == "2");
    CHECK(crew.ask("resize 4097") == make_error_code(boost::system::errc::invalid_argument).message());
    CHECK(crew.ask("status") == "0:ready:1 1:ready:1");
}

TEST_CASE("a rolling restart replaces the workers one after the other", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=3"});
    crew.tell_done("start");
    crew.ask("calm");
    crew.tell_done("roll");
    std::string expected;
    for (const std::string place : {"0", "1", "2"})
        expected += (place == "0" ? "" : ", ") + place + " draining, " + place + " ended (ended with 0), " + place + " vacant, " +
                    place + " starting, " + place + " ready";
    CHECK(crew.ask("calm") == expected);
    CHECK(crew.ask("status") == "0:ready:2 1:ready:2 2:ready:2");
    CHECK(crew.ask("restarts") == "0 0 0");
}

TEST_CASE("workers that keep dying end the starts, with the reason", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"throws", "workers=2 limit.deaths=6"});
    crew.tell_done("start");
    CHECK(crew.ask("wait_ready 20000") == make_error_code(ss::errc::workers_keep_dying).message());
    crew.ask("calm");
    CHECK(crew.ask("reason 1") == "no database for worker 1");
    CHECK_THAT(crew.ask("status"), test::contains(":ended:"));
    crew.tell_done("start"); // the supervisor tries again, and finds the same
    CHECK(crew.ask("wait_ready 20000") == make_error_code(ss::errc::workers_keep_dying).message());
}

TEST_CASE("a worker that ends at once is a failed start, whatever its exit code", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"fails at once", "workers=1 limit.deaths=3"});
    crew.tell_done("start");
    const std::string log = crew.ask("calm");
    const std::string one = "0 starting, 0 ended (ended with 3), 0 backing off, ";
    CHECK(log == one + one + one + "0 ended");
}

TEST_CASE("a worker that is not ready in time is killed, and that is its failure", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"never ready", "workers=1 start_limit=20 limit.deaths=2"});
    crew.tell_done("start");
    CHECK_THAT(crew.ask("calm"), test::contains("0 starting, 0 killed, 0 ended (was killed by signal 9)"));
    CHECK(crew.ask("failure 0") == make_error_code(ss::errc::worker_not_ready).message());
}

TEST_CASE("a start for which there is no descriptor fails with that reason, and is tried again", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=2 limit.deaths=4"});
    REQUIRE(crew.ask("most_descriptors 1") == "0");
    crew.tell_done("start");
    CHECK(crew.ask("calm").find("ready") == std::string::npos);
    CHECK(crew.ask("failure 0") == make_error_code(boost::system::errc::too_many_files_open).message());
    REQUIRE(crew.ask("most_descriptors") == "0");
    CHECK(crew.ask("children") == "0");
    crew.tell_done("start");
    crew.ask("calm");
    CHECK(crew.ask("status") == "0:ready:3 1:ready:3");
}

TEST_CASE("each worker has a load that its parent can read, and a new one begins with none", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"sets its load", "workers=3"});
    crew.tell_done("start");
    crew.ask("calm");
    CHECK(crew.ask("loads") == "100 101 102");
    ::kill(crew.pids().at(1), SIGKILL);
    crew.ask("until 1 starting");
    crew.ask("calm");
    CHECK(crew.ask("loads") == "100 101 102");
}

TEST_CASE("a forked worker has no descriptor of its supervisor or of its siblings", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"counts its descriptors", "workers=5"});
    crew.tell("start");
    std::multiset<std::string> counts;
    for (int line = 0; line < 6; ++line)
        counts.insert(crew.line());
    CHECK(counts.erase("done") == 1);
    CHECK(counts.count(*counts.begin()) == 5); // the first has as many as the last
}

TEST_CASE("a child's copy of a supervisor does nothing to the workers", "[prefork]")
{
    test::crew_process crew("supervises forked workers", {"obeys", "workers=2"});
    crew.tell_done("start");
    crew.ask("calm");
    CHECK(crew.ask("in_a_child") == "1");
    CHECK(crew.ask("status") == "0:ready:1 1:ready:1");
    CHECK_FALSE(is_gone(crew.pids().at(0)));
}
