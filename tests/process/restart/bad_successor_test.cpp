// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The bad days of a successor. The connections that it has not taken are the predecessor's, exactly, and the service goes on.
#include "process/restart/generation_role.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <csignal>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using test::child_process;
using test::plain_socket;
using test::service_under_test;

namespace {

// A service with three connections, whose clients are here.
struct served {
    service_under_test service;
    child_process first;
    std::string numbers[3];
    plain_socket clients[3];

    explicit served(const std::string& options = "")
        : first(service.start_first(options)),
          clients{service.connect(first, numbers[0]), service.connect(first, numbers[1]), service.connect(first, numbers[2])}
    {}
    void give_all(const std::string& carry = "half")
    {
        for (int i = 0; i < 3; ++i)
            CHECK(first.ask("give " + numbers[i] + " " + std::to_string(i + 1) + " " + carry) == std::to_string(i + 1));
    }
    // The connection that came back under this number works.
    void check_returned(int which, const std::string& said, const std::string& why)
    {
        const std::string gift = std::to_string(which + 1);
        INFO(said);
        REQUIRE(said.starts_with("returned " + gift + " as "));
        CHECK(said.find(" " + gift + " 'half': " + why) != std::string::npos);
        const std::string number = said.substr(14, said.find(' ', 14) - 14);
        clients[which].send("more");
        CHECK(first.ask("receive " + number + " 4") == "more");
        first.ask("send " + number + " answer");
        CHECK(clients[which].receive(6) == "answer");
    }
    // The service can be upgraded as if nothing had been.
    void check_upgrade(const std::string& options = "")
    {
        child_process next = service.start_next(first, options);
        service.begin(first, next);
        CHECK(first.ask("finish") == "ok");
        CHECK(next.ask("next") == "serving");
        CHECK(first.ask("next") == "replaced");
        next.ask("end");
        CHECK(service.files() == 0);
    }
};

} // namespace

TEST_CASE("a successor that exits at once, or before it is ready, changes nothing", "[restart][fault-160]")
{
    served here;
    child_process second = here.service.start_next(here.first);
    SECTION("by SIGKILL") { second.kill(SIGKILL); }
    SECTION("its program gives up") { second.ask("end"); }
    CHECK(here.first.ask("next").starts_with("successor_failed: successor_lost: the successor of service \"web\" (pid " +
                                             std::to_string(second.pid()) + ")"));
    here.first.ask("send 0 x");
    CHECK(here.clients[0].receive(1) == "x");
    here.check_upgrade();
}

TEST_CASE("a successor that is not ready in time is dismissed", "[restart][fault-160]")
{
    served here("10000 10000 0 -1 50");
    child_process second = here.service.start_next(here.first);
    CHECK(here.first.ask("next").starts_with("successor_failed: generation_silent"));
    CHECK(second.ask("next").starts_with("dismissed: upgrade_dismissed"));
    here.first.ask("end");
    CHECK(here.service.files() == 0);
}

TEST_CASE("a successor that is killed after it took one of three gifts keeps that one, and two come back with their bytes",
          "[restart][fault-158]")
{
    served here;
    child_process second = here.service.start_next(here.first);
    here.service.begin(here.first, second);
    here.give_all();
    CHECK(second.ask("next") == "offered 1 1 4");
    CHECK(second.ask("take 1") == "0 1 'half'");
    second.kill(SIGKILL);
    CHECK(here.first.ask("next") == "given 1");
    here.check_returned(1, here.first.ask("next"), "successor_lost");
    here.check_returned(2, here.first.ask("next"), "successor_lost");
    CHECK(here.first.ask("next").starts_with("successor_failed: successor_lost"));
    CHECK(here.first.ask("left") == "2 2 successor_lost;3 3 successor_lost;");
    CHECK(here.clients[0].ended());
    here.check_upgrade();
}

TEST_CASE("a successor that is stopped gives back what it has not taken, and cannot take it later", "[restart][fault-161]")
{
    served here("300");
    child_process second = here.service.start_next(here.first);
    here.service.begin(here.first, second);
    here.give_all();
    CHECK(second.ask("next") == "offered 1 1 4");
    CHECK(second.ask("take 1") == "0 1 'half'");
    CHECK(second.ask("next") == "offered 2 2 4");
    second.stop();
    CHECK(here.first.ask("next") == "given 1");
    here.check_returned(1, here.first.ask("next"), "generation_silent");
    here.check_returned(2, here.first.ask("next"), "generation_silent");
    CHECK(here.first.ask("next").starts_with("successor_failed: generation_silent"));

    SECTION("a stopped successor that goes on is told, and has what it took")
    {
        second.resume();
        CHECK(second.ask("take 2") == "error: would_block");
        CHECK(second.ask("next") == "offered 3 3 4"); // was there before
        CHECK(second.ask("next").starts_with("dismissed: upgrade_dismissed"));
        CHECK(second.ask("take 3") == "error: upgrade_dismissed");
        CHECK(second.ask("decline 3") == "ok"); // it is the predecessor's already
        second.ask("send 0 x");
        CHECK(here.clients[0].receive(1) == "x");
        here.check_upgrade();
    }
    SECTION("a service whose successor stays stopped is upgraded") { here.check_upgrade(); }
    SECTION("a predecessor that is killed leaves nothing that blocks the next one")
    {
        here.first.kill(SIGKILL);
        here.first.wait();
        child_process third = here.service.start();
        CHECK(third.ask("join") == "first");
        third.ask("end");
        CHECK(here.service.files() == 0);
    }
}

TEST_CASE("a stopped successor whose queue has no room for a word of its dismissal is dismissed all the same",
          "[restart][fault-161]")
{
    service_under_test service;
    child_process first = service.start_first("300");
    std::vector<plain_socket> clients;
    for (int i = 0; i < 64; ++i) {
        std::string number;
        clients.push_back(service.connect(first, number));
    }
    child_process second = service.start_next(first);
    service.begin(first, second);
    CHECK(second.ask("look") == "nothing");
    second.stop();
    for (int i = 0; i < 64; ++i)
        first.ask("give " + std::to_string(i) + " 0 4000"); // more than a socket holds
    for (int i = 1; i <= 64; ++i)
        CHECK(first.ask("next").starts_with("returned " + std::to_string(i) + " as "));
    CHECK(first.ask("next").starts_with("successor_failed: generation_silent"));
    second.resume();
    std::string said;
    for (int offered = 0; offered < 64 && (offered == 0 || said.starts_with("offered ")); ++offered) {
        said = second.ask("next");
        if (said.starts_with("offered ")) CHECK(second.ask("take " + std::to_string(offered + 1)) == "error: would_block");
    }
    CHECK(said.starts_with("dismissed: upgrade_dismissed"));
}

TEST_CASE("a successor that does not know a tag declines it, and the upgrade goes on", "[restart][fault-162]")
{
    served here;
    child_process second = here.service.start_next(here.first);
    here.service.begin(here.first, second);
    here.give_all();
    CHECK(second.ask("next") == "offered 1 1 4");
    CHECK(second.ask("next") == "offered 2 2 4");
    CHECK(second.ask("next") == "offered 3 3 4");
    CHECK(second.ask("take 3") == "0 3 'half'");
    CHECK(second.ask("decline 2") == "ok");
    CHECK(second.ask("take 2") == "error: no_such_gift");
    CHECK(second.ask("take 1") == "1 1 'half'");
    CHECK(here.first.ask("next") == "given 3");
    here.check_returned(1, here.first.ask("next"), "gift_declined: unknown tag");
    CHECK(here.first.ask("next") == "given 1");
    CHECK(here.first.ask("finish") == "ok");
    CHECK(second.ask("next") == "serving");
    CHECK(here.first.ask("next") == "replaced");
    CHECK(here.first.ask("left") == "2 2 gift_declined;");
}

TEST_CASE("a successor without room for a descriptor leaves the gift with the predecessor", "[restart][fault-162]")
{
    served here;
    child_process second = here.service.start_next(here.first);
    here.service.begin(here.first, second);
    CHECK(second.ask("look") == "nothing"); // the lock and the socket of the service are there
    CHECK(second.ask("no_more_descriptors") == "ok");
    here.give_all();
    second.ask("look");
    for (int i = 0; i < 3; ++i)
        here.check_returned(i, here.first.ask("next"), "gift_declined: no room for descriptors");
    CHECK(here.first.ask("finish") == "ok");
    CHECK(second.ask("next") == "serving");
    CHECK(here.first.ask("next") == "replaced");
}

TEST_CASE("a successor without room for the listeners does not join, and says what to raise", "[restart][fault-162]")
{
    served here;
    child_process second = here.service.start();
    second.ask("look"); // of no service: an error
    second.tell("join_without_descriptors");
    CHECK(here.first.ask("next") == "successor_joined");
    CHECK(second.line().find("Too many open files") != std::string::npos);
    CHECK(here.first.ask("next").find("raise RLIMIT_NOFILE") != std::string::npos);
    here.check_upgrade();
}

TEST_CASE("a third generation is refused during an upgrade, or waits for its end", "[restart][fault-164]")
{
    served here;
    child_process second = here.service.start_next(here.first);
    child_process third  = here.service.start();
    third.tell("join 10000 10000 0");
    CHECK(here.first.ask("wake") == "nothing");
    const std::string said = third.line();
    INFO(said);
    CHECK(said.starts_with("error: upgrade_under_way: join"));
    CHECK(said.find("process " + std::to_string(second.pid()) + " is its successor already") != std::string::npos);

    third.tell("join 10000 20000 1");
    here.service.begin(here.first, second);
    CHECK(here.first.ask("finish") == "ok");
    CHECK(second.ask("next") == "serving");
    CHECK(here.first.ask("next") == "replaced");
    CHECK(second.ask("next") == "successor_joined");
    CHECK(second.ask("look") == "nothing");
    CHECK(third.line() == "successor of " + std::to_string(second.pid()));
}

TEST_CASE("root begins a service for its owner, whose process succeeds it", "[restart]")
{
    if (::geteuid() != 0) {
        test::skip("only root may begin a service for another user");
        return;
    }
    service_under_test service;
    ::chmod(service.directory().c_str(), 0777);
    child_process first = service.start();
    CHECK(first.ask("join 10000 10000 0 1234") == "first");
    first.ask("listen http");
    first.ask("ready");
    child_process second = service.start();
    REQUIRE(second.ask("become_user 1234") == "ok");
    second.tell("join 10000 10000 0 1234");
    CHECK(first.ask("next") == "successor_joined");
    CHECK(second.line().starts_with("successor of"));
    service.begin(first, second);
    CHECK(first.ask("finish") == "ok");
    CHECK(second.ask("next") == "serving");
    CHECK(first.ask("next") == "replaced");
    second.ask("end");
    CHECK(service.files() == 0);
}

TEST_CASE("a process of another user does not get in, and the service stays as it is", "[restart][fault-164]")
{
    if (::geteuid() != 0) {
        test::skip("only root may become another user");
        return;
    }
    served here;
    ::chmod(here.service.directory().c_str(), 0777);
    child_process stranger = here.service.start();
    REQUIRE(stranger.ask("become_user 1234") == "ok");
    CHECK(stranger.ask("join 1000 1000 0 0").starts_with("error: foreign_service: openat " + here.service.place()));
    CHECK(stranger.ask("join") == "first"); // of the service of that name that is its own
    stranger.ask("end");
    here.check_upgrade();
}
