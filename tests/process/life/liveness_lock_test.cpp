// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/life/liveness_steps.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/descriptors.hpp"
#include "support/eventually.hpp"
#include "support/skip.hpp"
#include "support/unique_name.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <thread>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace fs = std::filesystem;

using namespace test::liveness;

namespace {

char state_of(pid_t process) // the character of proc(5)
{
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    const std::string text((std::istreambuf_iterator<char>(stat)), {});
    const auto end_of_name = text.rfind(") ");
    return end_of_name == std::string::npos ? '-' : text.at(end_of_name + 2);
}

std::string yes_or_no(bool answer) { return answer ? "yes" : "no"; }

} // namespace

SHAREDSOCK_CHILD_ROLE("life lock member")
{
    member self(role.args.at(0));
    const auto index = [](const std::string& text) { return static_cast<std::uint32_t>(std::stoul(text)); };
    return role.serve({
        {"take", [&](const std::string& rest) { return yes_or_no(self.take(index(rest))); }},
        {"held", [&](const std::string& rest) { return yes_or_no(self.life->held(index(rest))); }},
        {"lost", [&](const std::string& rest) { return yes_or_no(self.life->lost(index(rest))); }},
        {"give",
         [&](const std::string& rest) {
             self.life->give(index(rest));
             return std::string("given");
         }},
        {"fork", // makes a child that stays, and says nothing
         [&](const std::string&) {
             const pid_t child = fork_as_the_library_does();
             while (child == 0) {
                 ::pause();
             }
             return std::to_string(child);
         }},
        {"close",
         [&](const std::string&) {
             ::close_range(512, ~0u, 0);
             return std::string("closed");
         }},
    });
}

SHAREDSOCK_CHILD_ROLE("takes byte 0 and ends its main thread")
{
    static member self(role.args.at(0)); // outlives main
    self.take(0);
    std::thread([] {
        for (;;) {
            ::pause();
        }
    }).detach();
    ::pthread_exit(nullptr);
}

SHAREDSOCK_CHILD_ROLE("takes byte 0 in a pid namespace of its own")
{
    if (::unshare(CLONE_NEWPID) != 0) {
        role.say("may not");
        return 0;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        member self(role.args.at(0));
        role.say(self.take(0) && !self.life->lost(0) && ::getpid() == 1 ? "taken" : "refused");
        role.hear();
        ::_exit(0); // the byte goes with the process
    }
    ::_exit(exit_code_of(child)); // at once: LeakSanitizer could start no thread in the dead namespace
}

TEST_CASE("a byte of a lock file belongs to one process until it gives it back")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});

    CHECK(other.ask("take 0") == "yes");
    CHECK(self.life->held(0));
    CHECK_FALSE(self.take(0));
    CHECK_FALSE(self.ec);

    CHECK(other.ask("give 0") == "given");
    CHECK_FALSE(self.life->held(0));
    CHECK(self.take(0));
    CHECK(other.ask("held 0") == "yes");
    CHECK(other.ask("take 0") == "no");
}

TEST_CASE("bytes of lock files are independent of each other, across files too")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    CHECK(self.take(0));
    CHECK(self.take(processes - 1));
    CHECK(other.ask("take 1") == "yes");
    CHECK(other.ask("take " + std::to_string(processes_per_liveness_file)) == "yes");
    CHECK(other.ask("take " + std::to_string(processes - 1)) == "no");
}

TEST_CASE("the lock file's byte of a killed process is free, also while it is a zombie", "[fault-16][G7]")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    REQUIRE(other.ask("take 0") == "yes");

    other.kill(SIGKILL); // not reaped
    CHECK(test::eventually([&] { return !self.life->held(0); }));
    CHECK(test::eventually([&] { return state_of(other.pid()) == 'Z'; }));
    CHECK_FALSE(self.life->held(0));
    CHECK(self.take(0));
}

TEST_CASE("a stopped process keeps its byte of the lock file", "[fault-9][fault-21]")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    REQUIRE(other.ask("take 0") == "yes");
    other.stop();
    CHECK(self.life->held(0));
    CHECK_FALSE(self.take(0));
    other.resume();
    CHECK(other.ask("lost 0") == "no");
}

TEST_CASE("a process whose main thread has ended lives as long as another thread does", "[fault-17]")
{
    life_files files;
    member self(files.path);
    test::child_process other("takes byte 0 and ends its main thread", {files.path});
    REQUIRE(test::eventually([&] { return state_of(other.pid()) == 'Z'; }));
    CHECK(self.life->held(0));
    other.kill(SIGKILL);
    CHECK(test::eventually([&] { return !self.life->held(0); }));
}

TEST_CASE("a process of another pid namespace holds its byte like any other", "[fault-36]")
{
    life_files files;
    member self(files.path);
    test::child_process other("takes byte 0 in a pid namespace of its own", {files.path});
    const auto answer = other.line();
    if (answer == "may not") {
        test::skip("this process may not make a pid namespace");
        return;
    }
    CHECK(answer == "taken");
    CHECK(self.life->held(0));
    CHECK_FALSE(self.take(0));
    other.close_input();
    CHECK(other.wait() == 0);
    CHECK_FALSE(self.life->held(0));
}

TEST_CASE("two attachments of one process see each other's bytes as held")
{
    life_files files;
    member one(files.path);
    member other(files.path);
    CHECK(one.take(0));
    CHECK(other.life->held(0));
    CHECK_FALSE(other.take(0));
    other.life->give(0); // not its own to give
    CHECK(one.life->held(0));
    CHECK_FALSE(one.life->lost(0));
    CHECK_FALSE(other.life->lost(0));
    CHECK(other.take(1));
}

TEST_CASE("the end of one attachment leaves the bytes of another one of the same process alone")
{
    life_files files;
    test::child_process observer("life lock member", {files.path});
    member stays(files.path);
    REQUIRE(stays.take(0));
    {
        member goes(files.path);
        REQUIRE(goes.take(1));
        CHECK(observer.ask("held 1") == "yes");
    }
    CHECK(observer.ask("held 1") == "no");
    CHECK(observer.ask("held 0") == "yes");
    CHECK_FALSE(stays.life->lost(0));
}

TEST_CASE("lock files are opened once a process, with high numbers, and closed with the last attachment", "[G11]")
{
    life_files files;
    const auto before = test::open_descriptors();
    {
        member one(files.path);
        member other(files.path);
        REQUIRE(one.take(0));
        REQUIRE(other.take(1));
        CHECK(test::open_descriptors() == before + 2 + 2); // two directories, two descriptions of one file
        CHECK(std::any_of(fs::directory_iterator("/proc/self/fd"), {},
                          [](const auto& each) { return std::stoi(each.path().filename()) >= 512; }));
    }
    CHECK(test::open_descriptors() == before);
}

TEST_CASE("a byte that other code dropped by closing the lock file is noticed and can be taken again", "[fault-29]")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    REQUIRE(self.take(0));
    REQUIRE_FALSE(self.life->lost(0));

    std::ifstream(files.path / "life.0").close();
    CHECK(self.life->lost(0));
    CHECK(other.ask("held 0") == "no");

    CHECK_FALSE(self.take(0)); // for another purpose: this process has it
    CHECK(self.life->take_again(0, self.ec));
    CHECK_FALSE(self.life->lost(0));
    CHECK(other.ask("held 0") == "yes");
}

TEST_CASE("a byte that was dropped and taken by another process is lost for good", "[fault-29]")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    REQUIRE(self.take(0));
    std::ifstream(files.path / "life.0").close();
    REQUIRE(other.ask("take 0") == "yes");

    CHECK(self.life->held(0));
    CHECK(self.life->lost(0));
    CHECK_FALSE(self.life->take_again(0, self.ec));
    CHECK_FALSE(self.life->lost(0)); // the loss is known now
    CHECK(other.ask("lost 0") == "no");
}

TEST_CASE("a process whose descriptors were all closed notices, and takes no process for dead", "[fault-28]")
{
    life_files files;
    member self(files.path);
    test::child_process other("life lock member", {files.path});
    REQUIRE(self.take(1));
    REQUIRE(other.ask("take 0") == "yes");

    REQUIRE(other.ask("close") == "closed");
    CHECK(other.ask("lost 0") == "yes");
    CHECK(other.ask("held 1") == "yes");
    CHECK(other.ask("held 2") == "yes"); // not true, but the child cannot know
    CHECK_FALSE(self.life->held(0));
}

TEST_CASE("a byte is found held if any process holds it, in whichever lock file")
{
    life_files files;
    member self(files.path);
    CHECK_FALSE(self.life->any_held());
    test::child_process other("life lock member", {files.path});
    for (const std::uint32_t index : {0u, processes_per_liveness_file - 1, processes - 1}) {
        REQUIRE(other.ask("take " + std::to_string(index)) == "yes");
        CHECK(self.life->any_held());
        other.ask("give " + std::to_string(index));
        CHECK_FALSE(self.life->any_held());
    }
    CHECK(self.take(3));
    CHECK(self.life->any_held());
}

TEST_CASE("a missing lock file is an error to take, a doubt to judge, and hinders no process")
{
    const test::scratch_directory empty;
    member self(empty.path());
    CHECK_FALSE(self.take(0));
    CHECK(self.ec == std::errc::no_such_file_or_directory);
    CHECK(self.life->held(0));
    CHECK_FALSE(self.life->lost(0));
    CHECK_FALSE(self.life->any_held());
}

TEST_CASE("a symbolic link in place of a lock file is not followed", "[fault-63]")
{
    life_files files;
    fs::rename(files.path / "life.0", files.path / "real");
    fs::create_symlink(files.path / "real", files.path / "life.0");
    member self(files.path);
    CHECK_FALSE(self.take(0));
    CHECK(self.ec == sharedsock::errc::not_a_segment);
}

TEST_CASE("an index that no process can have is neither taken nor held")
{
    life_files files;
    member self(files.path);
    for (const std::uint32_t index : {processes, max_processes, 0xffff'ffffu}) {
        CHECK_FALSE(self.take(index));
        CHECK(self.ec == std::errc::invalid_argument);
        CHECK_FALSE(self.life->held(index));
        CHECK_FALSE(self.life->lost(index));
        self.life->give(index);
    }
}

TEST_CASE("a lock file has the bytes of 256 processes")
{
    CHECK(liveness_file_name(0) == "life.0");
    CHECK(liveness_file_name(255) == "life.0");
    CHECK(liveness_file_name(256) == "life.1");
    CHECK(liveness_file_count(1) == 1);
    CHECK(liveness_file_count(256) == 1);
    CHECK(liveness_file_count(257) == 2);
    CHECK(liveness_file_count(max_processes) == 32);
}
