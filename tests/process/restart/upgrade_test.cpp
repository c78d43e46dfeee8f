// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/restart/generation_role.hpp"
#include "support/catch.hpp"
#include "support/descriptors.hpp"

#include <sharedsock/restart.hpp>
#include <sharedsock/systemd.hpp>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include <sys/socket.h>

using test::child_process;
using test::plain_socket;
using test::service_under_test;

namespace {

void upgrade_to(const service_under_test& service, child_process& first, child_process& second)
{
    CHECK(first.ask("finish") == "ok");
    CHECK(second.ask("next") == "serving");
    CHECK(first.ask("next") == "replaced");
    CHECK(service.files() == 3);
}

} // namespace

TEST_CASE("a listener and a connection in the middle of a line cross to the successor, in the order of the gifts", "[restart]")
{
    service_under_test service;
    child_process first = service.start_first();
    std::string one, other;
    plain_socket client        = service.connect(first, one);
    plain_socket second_client = service.connect(first, other);
    client.send("hel");
    CHECK(first.ask("receive " + one + " 3") == "hel");

    child_process second = service.start_next(first);
    service.begin(first, second);
    CHECK(first.ask("give " + one + " 7 hel") == "1");
    CHECK(first.ask("give " + other + " 8") == "2");
    CHECK(second.ask("next") == "offered 1 7 3");
    CHECK(second.ask("next") == "offered 2 8 0");
    CHECK(second.ask("take 1") == "0 7 'hel'");
    CHECK(second.ask("take 2") == "1 8 ''");
    CHECK(first.ask("next") == "given 1");
    CHECK(first.ask("next") == "given 2");
    upgrade_to(service, first, second);
    CHECK(first.ask("left").empty());
    CHECK(first.ask("next") == "error: generation_ended");
    first.ask("end");

    client.send("lo.");
    CHECK(second.ask("receive 0 3") == "lo.");
    second.ask("send 0 hello");
    CHECK(client.receive(5) == "hello");
    std::string fresh;
    plain_socket new_client = service.connect(second, fresh);
    CHECK(fresh == "2");
    second.ask("end");
    CHECK(service.files() == 0);
}

TEST_CASE("ten generations succeed each other, and the last one leaves nothing", "[restart]")
{
    service_under_test service;
    std::vector<child_process> generations;
    generations.push_back(service.start_first());
    std::string number;
    plain_socket client = service.connect(generations.back(), number);
    for (int i = 1; i <= 10; ++i) {
        generations.push_back(service.start_next(generations.back()));
        child_process& before = generations[generations.size() - 2];
        child_process& next   = generations.back();
        service.begin(before, next);
        CHECK(before.ask("give " + number + " " + std::to_string(i)) == "1");
        CHECK(next.ask("next") == "offered 1 " + std::to_string(i) + " 0");
        number = next.ask("take 1").substr(0, 1);
        CHECK(before.ask("next") == "given 1");
        upgrade_to(service, before, next);
        if (i % 2 == 0) before.kill(SIGKILL); // its end does not concern the service
    }
    generations.back().ask("send " + number + " x");
    CHECK(client.receive(1) == "x");
    generations.back().ask("end");
    CHECK(service.files() == 0);
}

TEST_CASE("a carry of 16 MiB crosses, and comes back, without a change", "[restart]")
{
    service_under_test service;
    child_process first = service.start_first("2000");
    std::string one, other;
    plain_socket client        = service.connect(first, one);
    plain_socket second_client = service.connect(first, other);
    child_process second       = service.start_next(first);
    service.begin(first, second);
    CHECK(first.ask("give " + one + " 1 16777217").starts_with("error: more bytes than a hand-over takes along"));
    CHECK(first.ask("give " + one + " 1 16777216") == "1");
    CHECK(first.ask("give " + other + " 2 16777216") == "2");
    CHECK(second.ask("next") == "offered 1 1 16777216");
    CHECK(second.ask("take 1") == "0 1 16777216 intact");
    CHECK(first.ask("next") == "given 1");
    second.kill(SIGKILL);
    CHECK(first.ask("next").starts_with("returned 2 as 2 2 16777216 intact: successor_lost"));
    CHECK(first.ask("next").starts_with("successor_failed: successor_lost"));
    CHECK(second_client.quiet(std::chrono::milliseconds(1)));
    CHECK(client.ended()); // it was in the hands of a process that was killed
}

TEST_CASE("gifts above the window wait for answers", "[restart]")
{
    service_under_test service;
    child_process first = service.start_first();
    std::vector<plain_socket> clients;
    for (int i = 0; i < 70; ++i) {
        std::string number;
        clients.push_back(service.connect(first, number));
    }
    child_process second = service.start_next(first);
    service.begin(first, second);
    for (int i = 0; i < 64; ++i)
        CHECK(first.ask("give " + std::to_string(i) + " 0 4000") == std::to_string(i + 1));
    CHECK(first.ask("give 64 0") == "error: would_block");
    CHECK(second.ask("next") == "offered 1 0 4000");
    CHECK(second.ask("take 1") == "0 0 4000 intact");
    CHECK(first.ask("next") == "given 1");
    CHECK(first.ask("give 64 0") == "65");
    CHECK(first.ask("give 65 0") == "error: would_block");
}

TEST_CASE("listeners are found by name, others that last cross too, and those that are not asked for are named", "[restart]")
{
    service_under_test service;
    child_process first = service.start_first();
    first.ask("listen admin");
    first.ask("keep log");
    child_process second = service.start_next(first);
    CHECK(second.ask("listen http") == std::to_string(service.port()));
    CHECK(second.ask("inherit log") == "there");
    CHECK(second.ask("inherit other") == "none");
    CHECK(second.ask("unclaimed") == "admin;");
    service.begin(first, second);
    upgrade_to(service, first, second);
    CHECK(second.ask("unclaimed") == "admin;");
}

TEST_CASE("calls out of turn are errors that change nothing", "[restart]")
{
    CHECK(sharedsock::restart::generation().passed().empty());
    service_under_test service;
    child_process first = service.start_first();
    std::string number;
    plain_socket client = service.connect(first, number);
    CHECK(first.ask("give " + number + " 0") == "error: no_successor");
    CHECK(first.ask("finish") == "error: no_successor");
    CHECK(first.ask("take 1") == "error: no_such_gift");
    child_process second = service.start_next(first);
    CHECK(first.ask("give " + number + " 0") == "error: no_successor"); // it is not ready
    CHECK(second.ask("take 1") == "error: no_such_gift");
    child_process third("generation", {".hidden", service.directory()});
    CHECK(third.ask("join").starts_with("error: "));
    first.ask("send " + number + " x");
    CHECK(client.receive(1) == "x");
}
