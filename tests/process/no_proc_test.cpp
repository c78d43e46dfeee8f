// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Without proc(5), as in some containers: calls that need it say so by name, and the others work.
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/prefork.hpp>
#include <sharedsock/sharedsock.hpp>

#include <chrono>
#include <cstdlib>
#include <string>

#include <sched.h>
#include <sys/mount.h>

namespace ss = sharedsock;

namespace {

// An empty file system over /proc, in a mount namespace of this process's own. False where that is not allowed.
bool hide_proc()
{
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("none", "/proc", "tmpfs", 0, nullptr) == 0;
}

bool may_hide_proc()
{
    return test::in_child([] { return std::string(hide_proc() ? "yes" : "no"); }) == "yes";
}

std::string word(const ss::error_code& ec)
{
    if (!ec) return "ok";
    const bool is_named = ec == ss::errc::proc_not_mounted && ec.message().find("/proc") != std::string::npos;
    return is_named ? "says /proc" : ec.message();
}

} // namespace

TEST_CASE("without proc(5) no call fails with a bare ENOENT: it works, or its error names /proc", "[fault-98]")
{
    if (!may_hide_proc()) {
        WARN("skipped: this user may not hide /proc from a process");
        return;
    }
    const std::string name = test::unique_name();
    SECTION("create, open, remove and list")
    {
        ss::segment::create(name, {.sockets = 8, .processes = 4});
        CHECK(test::in_child([&] {
                  hide_proc();
                  ss::error_code ec;
                  ss::segment::open(name, {}, ec);
                  const std::string opened = word(ec);
                  ss::segment::create(name + "x", {.sockets = 8, .processes = 4}, ec);
                  const std::string created = word(ec);
                  ss::segment::create_unnamed({.sockets = 8, .processes = 4}, ec);
                  const std::string unnamed = word(ec);
                  ss::segment::remove(name, {}, false, ec);
                  return opened + ", " + created + ", " + unnamed + ", " + word(ec);
              }) == "says /proc, says /proc, says /proc, ok");
        ss::error_code ec;
        CHECK_FALSE(ss::segment::remove(name + "x", {}, false, ec)); // nothing was left behind
        CHECK_FALSE(ec);
    }
    SECTION("the command looks at a segment")
    {
        ss::segment::create(name, {.sockets = 8, .processes = 4});
        const auto run = [&](const std::string& words) {
            return test::in_child([&] {
                hide_proc();
                return std::to_string(std::system((std::string(SHAREDSOCK_COMMAND_PATH) + ' ' + words).c_str()));
            });
        };
        CHECK(run("show " + name + " >/dev/null") == "0");
        CHECK(run("check " + name + " >/dev/null") == "0");
        CHECK(run("check --repair " + name + " 2>&1 | grep -q /proc") == "0"); // --repair attaches
        ss::segment::remove(name, {}, true);
    }
    SECTION("a process that attached before goes on")
    {
        const ss::segment other = ss::segment::create(name, {.sockets = 8, .processes = 4});
        CHECK(test::in_child([&] {
                  ss::segment where          = ss::segment::open(name);
                  ss::shared_socket listener = ss::shared_socket::listen(where, ss::socket_address::loopback(0));
                  hide_proc();
                  ss::error_code ec;
                  ss::event_object event;
                  listener.event_select(event, ss::network_event::accept, {}, ec);
                  std::string said = word(ec);
                  listener.handles(ec);
                  said += ", " + word(ec);
                  listener.duplicate(other.self(), ec); // needs a connection to the other's mailbox
                  said += ", " + word(ec);
                  listener.duplicate_for_pid(1, ec); // process 1 has not attached

                  return said + ", " + word(ec);
              }) == "ok, ok, says /proc, says /proc");
        ss::segment::remove(name, {}, true);
    }
    SECTION("a supervisor whose program is /proc/self/exe")
    {
        CHECK(test::in_child([&] {
                  hide_proc();
                  ss::prefork::options how;
                  how.workers      = 1;
                  how.limit.deaths = 0;
                  ss::prefork::supervisor workers(how, ss::prefork::program{});
                  workers.start();
                  ss::error_code ec;
                  workers.wait_ready(std::chrono::milliseconds(1), ec);
                  return word(ec) + ", " + word(workers.status().at(0).failure);
              }) == "says /proc, says /proc");
    }
}
