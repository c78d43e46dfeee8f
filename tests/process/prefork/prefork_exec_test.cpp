// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Executed workers: this binary in a role, and programs without the library.
#include "process/prefork/prefork_crew.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;

namespace {

prefork::program this_binary(const char* role)
{
    prefork::program self;
    self.arguments = {"worker", "--child", role};
    return self;
}

bool closes_on_exec(int descriptor) { return ::fcntl(descriptor, F_GETFD) == FD_CLOEXEC; }

} // namespace

/// Its exit code is 40 + its place, if all is as it should be.
SHAREDSOCK_CHILD_ROLE("is an executed worker")
{
    const char* const told = std::getenv("SHAREDSOCK_PREFORK_WORKER");
    std::array<int, 3> inherited{};
    if (told == nullptr || std::sscanf(told, "%d %d %d", &inherited[0], &inherited[1], &inherited[2]) != 3) return 4;
    prefork::worker self = prefork::worker::inherit();
    if (std::getenv("SHAREDSOCK_PREFORK_WORKER") != nullptr) return 1; // a program that the worker starts is no worker
    ss::error_code ec;
    if (prefork::worker::inherit(ec) || ec != ss::errc::not_a_worker) return 2;
    if (!std::all_of(inherited.begin(), inherited.end(), closes_on_exec)) return 3;
    self.set_load(self.generation());
    self.ready();
    self.wait_for_drain();
    return 40 + static_cast<int>(self.place());
}

/// args: which program, options.
SHAREDSOCK_CHILD_ROLE("supervises executed workers")
{
    int pipe_ends[2] = {-1, -1};
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return 1;
    prefork::program shell{.path = "/bin/sh", .cooperates = false};
    shell.arguments   = {"sh", "-c", "echo $WORD from $0 $PREFORK >&" + std::to_string(pipe_ends[1]) + "; exec sleep 100",
                         "the shell"};
    shell.environment = {"WORD=hello", "PREFORK=${SHAREDSOCK_PREFORK_WORKER-nothing}"};
    shell.descriptors = {pipe_ends[1]};
    const std::map<std::string, prefork::program> programs = {
        {"itself", this_binary("is an executed worker")},
        {"sleep", {.path = "/bin/sleep", .arguments = {"sleep", "100"}, .cooperates = false}},
        {"sh", shell},
        {"nowhere", {.path = "/nowhere/nothing"}},
        {"true", {.path = "/bin/true"}}, // closes its channel without a word
    };
    std::string log;
    prefork::supervisor all(test::crew_role::logging(test::read_options(role.args.at(1)), log), programs.at(role.args.at(0)));
    return test::crew_role(all, log).serve(role, {
                                                     {"read",
                                                      [&](const std::string&) {
                                                          char room[256];
                                                          const auto size = ::read(pipe_ends[0], room, sizeof room);
                                                          return std::string(room,
                                                                             size > 0 ? static_cast<std::size_t>(size) - 1 : 0);
                                                      }},
                                                 });
}

TEST_CASE("this program executed anew is a worker that is ready, drains, and has its place", "[prefork]")
{
    test::crew_process crew("supervises executed workers", {"itself", "workers=2"});
    crew.tell_done("start");
    crew.ask("calm");
    CHECK(crew.ask("status") == "0:ready:1 1:ready:1");
    CHECK(crew.ask("loads") == "1 1");
    ::kill(crew.pids().at(1), SIGKILL);
    crew.ask("until 1 starting");
    crew.ask("calm");
    CHECK(crew.ask("loads") == "1 2"); // the generation
    crew.tell_done("roll");
    const std::string rolled = crew.ask("calm");
    CHECK_THAT(rolled, test::contains("0 ended (ended with 40)"));
    CHECK_THAT(rolled, test::contains("1 ended (ended with 41)"));
    CHECK(crew.ask("status") == "0:ready:2 1:ready:3");
}

TEST_CASE("executed workers end when their parent is killed", "[prefork]")
{
    test::crew_process crew("supervises executed workers", {"itself", "workers=2 parent_death_signal=0"});
    crew.tell_done("start");
    crew.ask("calm");
    const auto pids = crew.pids();
    crew.kill(SIGKILL);
    for (const pid_t one : pids)
        CHECK(test::eventually([one] { return ::kill(one, 0) != 0; }));
}

TEST_CASE("a program without the library is ready when it runs, replaced when it dies, and ended by SIGTERM", "[prefork]")
{
    test::crew_process crew("supervises executed workers", {"sleep", "workers=2"});
    crew.tell_done("start");
    CHECK(crew.ask("status") == "0:ready:1 1:ready:1");
    ::kill(crew.pids().at(0), SIGKILL);
    crew.ask("until_generation 0 2");
    CHECK(crew.ask("status") == "0:ready:2 1:ready:1");
    crew.tell_done("stop");
    CHECK_THAT(crew.ask("calm"), test::contains("1 ended (was killed by signal 15)"));
}

TEST_CASE("an executed worker gets its arguments, its variables and its descriptors, and nothing of the supervisor's", "[prefork]")
{
    test::crew_process crew("supervises executed workers", {"sh", "workers=1"});
    crew.tell_done("start");
    CHECK(crew.ask("read") == "hello from the shell ${SHAREDSOCK_PREFORK_WORKER-nothing}");
    crew.tell_done("stop"); // nothing else would end it
    CHECK_THAT(crew.ask("calm"), test::contains("killed by signal 15"));
}

TEST_CASE("a worker program that does not exist is a failed start with that reason", "[prefork]")
{
    test::crew_process crew("supervises executed workers", {"nowhere", "workers=1 limit.deaths=2"});
    crew.tell_done("start");
    CHECK(crew.ask("wait_ready 20000") == make_error_code(ss::errc::workers_keep_dying).message());
    CHECK(crew.ask("failure 0") == make_error_code(boost::system::errc::no_such_file_or_directory).message());
    CHECK(crew.ask("children") == "0");
}

TEST_CASE("a worker program that ends without a word has failed to start", "[prefork]")
{
    test::crew_process crew("supervises executed workers", {"true", "workers=1 limit.deaths=2"});
    crew.tell_done("start");
    CHECK_THAT(crew.ask("calm"), test::contains("0 starting, 0 ended (ended with 0), 0 backing off"));
}

/// args: the value of the variable. Says why it is no worker.
SHAREDSOCK_CHILD_ROLE("is perhaps a worker")
{
    if (role.args.at(0) != "none") ::setenv("SHAREDSOCK_PREFORK_WORKER", role.args.at(0).c_str(), 1);
    ss::error_code ec;
    const prefork::worker self = prefork::worker::inherit(ec);
    role.say(self ? "a worker" : ec.message());
    return 0;
}

TEST_CASE("a process that no supervisor has started is no worker, whatever the environment says", "[prefork]")
{
    const std::string no = make_error_code(ss::errc::not_a_worker).message();
    for (const char* const told :
         {"none", "", "3", "7 8 9 0 1 0", "0 1 2 0 1 0", "3 3 3 99999999 1 0", "x x x x x x", "-1 -1 -1 0 0 0"}) {
        INFO(told);
        test::child_process child("is perhaps a worker", {told});
        CHECK(child.line() == no);
    }
}
