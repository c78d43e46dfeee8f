// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The bad days of a predecessor, and those of both.
#include "process/restart/generation_role.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <string>

using test::child_process;
using test::plain_socket;
using test::service_under_test;

TEST_CASE("a predecessor that is killed in the middle of giving leaves all that it gave to the successor, which serves",
          "[restart][fault-159]")
{
    service_under_test service;
    child_process first = service.start_first();
    std::string one, other, kept;
    plain_socket client = service.connect(first, one), second_client = service.connect(first, other),
                 third   = service.connect(first, kept);
    child_process second = service.start_next(first);
    service.begin(first, second);
    first.ask("give " + one + " 1 a");
    first.ask("give " + other + " 2 b");
    CHECK(second.ask("next") == "offered 1 1 1");
    CHECK(second.ask("take 1") == "0 1 'a'");
    first.kill(SIGKILL);
    first.wait();
    CHECK(second.ask("next") == "offered 2 2 1");
    CHECK(second.ask("next") == "serving");
    CHECK(second.ask("take 2") == "1 2 'b'");
    second.ask("send 0 x");
    second.ask("send 1 y");
    CHECK(client.receive(1) == "x");
    CHECK(second_client.receive(1) == "y");
    CHECK(third.ended()); // it was the killed process's
    child_process next = service.start_next(second);
    second.ask("end");
    CHECK(next.ask("next") == "serving");
}

TEST_CASE("an offer that cannot be answered, for its giver was killed, is made again when that is known", "[restart]")
{
    service_under_test service;
    child_process first = service.start_first();
    std::string number;
    plain_socket client  = service.connect(first, number);
    child_process second = service.start_next(first);
    service.begin(first, second);
    first.ask("give " + number + " 1 a");
    CHECK(second.ask("next") == "offered 1 1 1");
    first.kill(SIGKILL);
    first.wait();
    CHECK(second.ask("take 1") == "error: would_block");
    CHECK(second.ask("next") == "offered 1 1 1");
    CHECK(second.ask("next") == "serving");
    CHECK(second.ask("take 1") == "0 1 'a'");
    second.ask("send 0 x");
    CHECK(client.receive(1) == "x");
}

TEST_CASE("a predecessor that ends before the successor is ready leaves the service and its listeners to it", "[restart]")
{
    service_under_test service;
    child_process first  = service.start_first();
    child_process second = service.start_next(first);
    SECTION("by SIGKILL")
    {
        first.kill(SIGKILL);
        first.wait();
    }
    SECTION("in order") { first.ask("end"); }
    CHECK(second.ask("ready") == "ok");
    CHECK(second.ask("next") == "serving");
    std::string number;
    plain_socket client = service.connect(second, number);
    CHECK(number == "0");
    child_process third = service.start_next(second);
    second.ask("end");
    CHECK(third.ask("next") == "serving");
    third.ask("end");
    CHECK(service.files() == 0);
}

TEST_CASE("a predecessor that is killed when it has given all leaves the service to the successor", "[restart]")
{
    service_under_test service;
    child_process first  = service.start_first();
    child_process second = service.start_next(first);
    service.begin(first, second);
    CHECK(first.ask("finish") == "ok");
    first.kill(SIGKILL);
    first.wait();
    CHECK(second.ask("next") == "serving");
    second.ask("end");
    CHECK(service.files() == 0);
}

TEST_CASE("when both generations are killed, nothing blocks the next one", "[restart][fault-165]")
{
    service_under_test service;
    child_process first  = service.start_first();
    child_process second = service.start_next(first);
    service.begin(first, second);
    SECTION("the predecessor first") { first.kill(SIGKILL); }
    SECTION("the successor first") { second.kill(SIGKILL); }
    first.kill(SIGKILL);
    second.kill(SIGKILL);
    first.wait();
    second.wait();
    child_process third = service.start();
    CHECK(third.ask("join") == "first");
    third.ask("end");
    CHECK(service.files() == 0);
}

TEST_CASE("a child that a generation has forked keeps neither its lock nor its connection", "[restart][fault-165]")
{
    service_under_test service;
    child_process first = service.start_first();
    SECTION("of the one that serves alone")
    {
        const pid_t child = std::stoi(first.ask("fork"));
        first.kill(SIGKILL);
        first.wait();
        child_process next = service.start();
        CHECK(next.ask("join") == "first");
        ::kill(child, SIGKILL);
    }
    SECTION("of a predecessor: the successor sees its end")
    {
        child_process second = service.start_next(first);
        const pid_t child    = std::stoi(first.ask("fork"));
        first.kill(SIGKILL);
        first.wait();
        CHECK(second.ask("next") == "serving");
        ::kill(child, SIGKILL);
    }
}

TEST_CASE("a generation that serves and does not answer is named", "[restart]")
{
    service_under_test service;
    child_process first = service.start_first();
    first.stop();
    child_process second   = service.start();
    const std::string said = second.ask("join 10000 100");
    INFO(said);
    CHECK(said.starts_with("error: generation_silent: join service \"web\" (pid " + std::to_string(first.pid()) + " serves it)"));
    first.resume();
    CHECK(first.ask("next") == "successor_joined"); // it sees the other come and go
    CHECK(first.ask("next").starts_with("successor_failed: successor_lost"));
}
