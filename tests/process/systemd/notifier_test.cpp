// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/systemd/service_manager.hpp"
#include "support/catch.hpp"

#include <sharedsock/systemd.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;
using ss::systemd::notifier;

namespace {

bool same_file(int one, int other)
{
    struct stat a {};
    struct stat b {};
    REQUIRE(::fstat(one, &a) == 0);
    REQUIRE(::fstat(other, &b) == 0);
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

} // namespace

TEST_CASE("a service tells its manager at a path or at an abstract name in the words of sd_notify", "[systemd]")
{
    test::service_manager manager(GENERATE(false, true));
    const notifier service = notifier::from_environment();
    REQUIRE(service);
    service.ready();
    CHECK(manager.next().text == "READY=1");
    service.status("serving 12 clients");
    CHECK(manager.next().text == "STATUS=serving 12 clients");
    service.main_pid(4711);
    CHECK(manager.next().text == "MAINPID=4711");
    service.watchdog();
    CHECK(manager.next().text == "WATCHDOG=1");
    service.extend_timeout(1500ms);
    CHECK(manager.next().text == "EXTEND_TIMEOUT_USEC=1500000");
    service.stopping();
    CHECK(manager.next().text == "STOPPING=1");
    service.send("ERRNO=2\nX_OF_US=yes");
    CHECK(manager.next().text == "ERRNO=2\nX_OF_US=yes");
    CHECK(manager.silent());
}

TEST_CASE("a reload is told with the monotonic time of its beginning", "[systemd]")
{
    const auto us = [] {
        return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
    };
    test::service_manager manager;
    const notifier service = notifier::from_environment();
    const auto before      = us();
    service.reloading();
    const auto after       = us();
    const std::string told = manager.next().text;
    const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
    REQUIRE(told.compare(0, head.size(), head) == 0);
    CHECK(std::stoll(told.substr(head.size())) >= before);
    CHECK(std::stoll(told.substr(head.size())) <= after);
}

TEST_CASE("without a manager each call of a notifier succeeds and does nothing", "[systemd]")
{
    REQUIRE(::getenv("NOTIFY_SOCKET") == nullptr);
    const notifier service = notifier::from_environment();
    CHECK(!service);
    service.ready();
    service.reloading();
    service.stopping();
    service.status("no manager listens");
    service.watchdog();
    service.barrier();
    const int descriptor = 0;
    service.store("name", {&descriptor, 1});
    service.forget("name");
}

TEST_CASE("malformed texts are refused before anything is sent", "[systemd]")
{
    test::service_manager manager;
    const notifier service = notifier::from_environment();
    ss::error_code ec;
    const int descriptor = 0;
    service.status("two\nlines", ec);
    CHECK(ec == std::errc::invalid_argument);
    service.store("a:b", {&descriptor, 1}, ec);
    CHECK(ec == std::errc::invalid_argument);
    service.forget("", ec);
    CHECK(ec == std::errc::invalid_argument);
    service.extend_timeout(-1us, ec);
    CHECK(ec == std::errc::invalid_argument);
    CHECK(manager.silent());

    ::setenv("NOTIFY_SOCKET", "neither", 1);
    CHECK(!notifier::from_environment(ec));
    CHECK(ec == ss::errc::bad_manager_variable);
}

TEST_CASE("a manager that took the place of another at the same path is told; without one the error says so", "[systemd]")
{
    test::service_manager manager;
    const std::string address = manager.address() + "-2";
    ::setenv("NOTIFY_SOCKET", address.c_str(), 1);
    notifier service;
    {
        const test::held_fd first = test::listen_for_notifications(address);
        service                   = notifier::from_environment();
    }
    ss::error_code ec;
    service.ready(ec);
    CHECK(ec == std::errc::connection_refused);
    REQUIRE(::unlink(address.c_str()) == 0);
    const test::held_fd second = test::listen_for_notifications(address);
    service.ready();
    char text[16]{};
    CHECK(::recv(second.get(), text, sizeof text, MSG_DONTWAIT) == 7);
    CHECK(std::string(text) == "READY=1");
}

TEST_CASE("a barrier returns when the manager has come to it, and not before its limit otherwise", "[systemd]")
{
    test::service_manager manager;
    test::child_process service = manager.start();
    CHECK(service.ask("ready") == "ok");
    service.tell("barrier 600000");
    CHECK(manager.next().text == "READY=1");
    {
        const test::manager_message barrier = manager.next();
        CHECK(barrier.text == "BARRIER=1");
        CHECK(barrier.sender == service.pid());
        REQUIRE(barrier.descriptors.size() == 1);
    } // the manager closes its end
    CHECK(service.line() == "ok");
    CHECK(service.ask("barrier 20") == "error: timed_out");
}

TEST_CASE("stored descriptors arrive with their name, 253 in each message, and are removed by name", "[systemd]")
{
    test::service_manager manager;
    const notifier service = notifier::from_environment();
    const test::held_fd one(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const test::held_fd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const std::array both{one.get(), other.get()};
    service.store("listeners", both);
    {
        const test::manager_message got = manager.next();
        CHECK(got.text == "FDSTORE=1\nFDNAME=listeners");
        REQUIRE(got.descriptors.size() == 2);
        CHECK(same_file(got.descriptors[0].get(), one.get()));
        CHECK(same_file(got.descriptors[1].get(), other.get()));
    }
    const std::vector<int> many(300, one.get());
    service.store("many", many, notifier::drop_when::removed_only);
    for (const std::size_t expected : {std::size_t{253}, std::size_t{47}}) {
        const test::manager_message got = manager.next();
        CHECK(got.text == "FDSTORE=1\nFDNAME=many\nFDPOLL=0");
        CHECK(got.descriptors.size() == expected);
    }
    service.forget("many");
    CHECK(manager.next().text == "FDSTOREREMOVE=1\nFDNAME=many");
    CHECK(manager.silent());
}

TEST_CASE("the watchdog's period and the store's limit are those of this process, and malformed ones are errors", "[systemd]")
{
    const auto set = [](const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); };
    CHECK(!ss::systemd::watchdog_period());
    CHECK(!ss::systemd::store_limit());
    set("WATCHDOG_USEC", "20000000");
    CHECK(ss::systemd::watchdog_period() == 20s);
    set("WATCHDOG_PID", std::to_string(::getpid()));
    CHECK(ss::systemd::watchdog_period() == 20s);
    set("WATCHDOG_PID", std::to_string(::getppid()));
    CHECK(!ss::systemd::watchdog_period());
    ::unsetenv("WATCHDOG_PID");
    ss::error_code ec;
    for (const char* const bad : {"0", "", "20s", "18446744073709551615"}) {
        set("WATCHDOG_USEC", bad);
        CHECK(!ss::systemd::watchdog_period(ec));
        CHECK(ec == ss::errc::bad_manager_variable);
    }
    ::unsetenv("WATCHDOG_USEC");
    set("FDSTORE", "512");
    CHECK(ss::systemd::store_limit() == 512u);
    set("FDSTORE", "-1");
    CHECK(!ss::systemd::store_limit(ec));
    CHECK(ec == ss::errc::bad_manager_variable);
    ::unsetenv("FDSTORE");
}
