// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An upgrade replaces the file of a program whose supervisor executes "/proc/self/exe" (the default).
#include "deployment/conversation.hpp"
#include "deployment/service.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/unique_name.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace fs = std::filesystem;
using test::client;
using test::service;

namespace {

// A program in a directory of its own, and its new version, which is another program.
struct installed {
    installed() { fs::copy_file("/proc/self/exe", program); }
    void make_new_version() const
    {
        std::ofstream(next) << "#!/bin/sh\nexec sleep 1000\n";
        fs::permissions(next, fs::perms::owner_all);
    }
    test::scratch_directory home;
    const fs::path program = home.path() / "server";
    const fs::path next    = home.path() / "server.new";
};

std::string program_of(pid_t process)
{
    std::error_code ec;
    return fs::read_symlink("/proc/" + std::to_string(process) + "/exe", ec);
}

} // namespace

TEST_CASE("a worker that starts after an upgrade is of the new version", "[fault-127]")
{
    installed here;
    service s({.kind = "executed", .program = here.program});
    const pid_t old = s.wait_for_worker("0 ready 1");
    CHECK(program_of(old) == here.program);
    here.make_new_version();
    SECTION("that was renamed onto the old one") { fs::rename(here.next, here.program); }
    SECTION("that was put in the place of the old one, which was moved away")
    {
        fs::rename(here.program, here.home.path() / "server.old");
        fs::rename(here.next, here.program);
    }
    SECTION("that was written anew under the name")
    {
        fs::remove(here.program);
        fs::copy_file(here.next, here.program);
    }
    SECTION("when the supervisor rolls")
    {
        fs::rename(here.next, here.program);
        s.signal(SIGHUP);
    }
    ::kill(old, SIGKILL);
    const pid_t replaced = s.wait_for_worker("0 starting 2");
    CHECK(test::eventually([&] { return program_of(replaced).find("sleep") != std::string::npos; }));
}

TEST_CASE("a worker that starts while the program has no file is of the version that runs", "[fault-127]")
{
    installed here;
    service s({.kind = "executed", .program = here.program});
    const pid_t old = s.wait_for_worker("0 ready 1");
    fs::remove(here.program);
    ::kill(old, SIGKILL);
    s.wait_for_worker("0 ready 2");
    CHECK(client(s.port()).ask("go") == "answer");
    s.signal(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
}
