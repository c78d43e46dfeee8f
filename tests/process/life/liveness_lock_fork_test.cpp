// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The liveness lock over fork(2) and exec(3).
#include "process/life/liveness_steps.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include <spawn.h>
#include <unistd.h>

using namespace test::liveness;

namespace {

// Ends a process that is not this one's child any more.
struct stray_process {
    pid_t pid;
    ~stray_process() { ::kill(pid, SIGKILL); }
};

} // namespace

SHAREDSOCK_CHILD_ROLE("takes byte 0 and executes another program")
{
    member self(role.args.at(0));
    role.say(self.take(0) ? "taken" : "refused");
    role.hear();
    ::execl("/bin/sh", "sh", "-c", "kill -STOP $$", nullptr); // the new program does nothing, and stays
    return 1;
}

TEST_CASE("exec gives the process's byte of the lock file back", "[fault-27]")
{
    life_files files;
    member self(files.path);
    test::child_process other("takes byte 0 and executes another program", {files.path});
    other.wait_for("taken");
    CHECK(self.life->held(0));
    other.tell("go");
    CHECK(test::eventually([&] { return !self.life->held(0); }));
    CHECK(::kill(other.pid(), 0) == 0); // the pid is there all the same
}

TEST_CASE("starting another program leaves the process's byte alone", "[fault-26]")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    REQUIRE(self.take(0));

    char program[]    = "/bin/true";
    char* arguments[] = {program, nullptr};
    pid_t child       = 0;
    REQUIRE(::posix_spawn(&child, program, nullptr, nullptr, arguments, arguments + 1) == 0);
    CHECK(exit_code_of(child) == 0);
    CHECK_FALSE(self.life->lost(0));
    CHECK(other.ask("held 0") == "yes");
}

TEST_CASE("a forked child does not keep its dead parent's byte", "[fault-25]")
{
    life_files files;
    member self(files.path);
    test::child_process parent("life lock member", {files.path});
    REQUIRE(parent.ask("take 0") == "yes");
    const stray_process child{std::stoi(parent.ask("fork"))};

    CHECK(self.life->held(0));
    parent.kill(SIGKILL);
    CHECK(test::eventually([&] { return !self.life->held(0); }));
    CHECK(::kill(child.pid, 0) == 0);
}

TEST_CASE("a forked child holds none of its parent's bytes and may take its own", "[fault-22]")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    REQUIRE(self.take(0));

    const pid_t child = fork_as_the_library_does();
    if (child == 0) {
        const bool right = self.life->held(0) && !self.life->lost(0) && !self.take(0) && self.take(1);
        self.life->give(0); // not the child's to give
        self.life.reset();
        ::_exit(right ? 0 : 1);
    }
    CHECK(exit_code_of(child) == 0);
    CHECK_FALSE(self.life->lost(0));
    CHECK(other.ask("held 0") == "yes");
    CHECK(other.ask("held 1") == "no");
}

TEST_CASE("a fork waits for a thread that is about to open or lock a file", "[fault-23]")
{
    life_files files;
    std::atomic<bool> done = false;
    std::thread busy([&] {
        while (!done) {
            member self(files.path);
            self.take(1);
        }
    });
    bool all_right = true;
    for (int i = 0; i < 200; ++i) {
        const pid_t child = fork_as_the_library_does();
        if (child == 0) {
            member self(files.path);
            ::_exit(self.take(2) ? 0 : 1);
        }
        all_right = exit_code_of(child) == 0 && all_right;
    }
    done = true;
    busy.join();
    CHECK(all_right);
}
