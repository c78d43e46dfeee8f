// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Either generation is killed before and after each system call that it makes in an upgrade.
#include "fault/harness/call_tracer.hpp"
#include "process/restart/generation_role.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

using test::child_process;
using test::plain_socket;
using test::service_under_test;

namespace {

constexpr std::size_t connections = 3;

// Kills it at the nth stop. False if it had fewer: then it lives, and has done all.
bool kill_at(child_process& victim, const std::string& command, int nth)
{
    test::call_tracer tracer(victim.pid(), false);
    victim.tell(command);
    using stop   = test::call_tracer::stop;
    stop reached = tracer.next();
    for (int seen = 1; reached != stop::over && seen < nth; ++seen)
        reached = tracer.next();
    if (reached == stop::over) {
        tracer.let_go();
        return false;
    }
    tracer.kill();
    victim.wait();
    return true;
}

struct upgrade {
    service_under_test service;
    child_process first = service.start_first();
    std::vector<plain_socket> clients;
    child_process second = service.start();

    upgrade()
    {
        std::string number;
        for (std::size_t i = 0; i < connections; ++i)
            clients.push_back(service.connect(first, number));
    }

    // How many clients have an answer of a process that lives; each other one has seen the end of its connection.
    std::size_t count_answered(child_process& survivor)
    {
        for (plain_socket& one : clients)
            one.send("ping");
        survivor.ask("serve_all");
        std::size_t answered = 0;
        for (plain_socket& one : clients) {
            std::string said;
            try {
                said = one.receive(4);
            } catch (const std::system_error& reset) { // it was closed with a ping unread
                CHECK(reset.code() == std::errc::connection_reset);
            }
            CHECK((said == "pong" || said.empty()));
            answered += said == "pong";
        }
        return answered;
    }
    // The next generation succeeds the survivor, and nothing is left at the end.
    void check_service(child_process& survivor, bool serves)
    {
        if (!serves) {
            child_process next = service.start();
            CHECK(next.ask("join") == "first");
            next.ask("end");
        } else {
            child_process next = service.start_next(survivor);
            survivor.ask("end");
            CHECK(next.ask("next") == "serving");
            next.ask("end");
        }
        CHECK(service.files() == 0);
    }
};

struct report {
    std::string what;
    std::size_t given = 0, back = 0;
    explicit report(const std::string& line)
    {
        std::istringstream words(line);
        words >> what >> given >> back;
    }
};

} // namespace

TEST_CASE("a successor that is killed at any system call has exactly what it acknowledged, and the predecessor the rest",
          "[restart][fault-158]")
{
    int stops        = 0;
    std::size_t lost = 0, kept = 0;
    for (bool killed = true; killed; ++stops) {
        INFO("stop " << stops + 1);
        upgrade here;
        here.first.tell("give_all");
        killed = kill_at(here.second, "take_all", stops + 1);
        if (!killed) {
            CHECK(here.second.line() == "serving 3");
            CHECK(here.first.line() == "replaced 3 0");
            break;
        }
        // If it was killed before it said hello, the predecessor waits for another one.
        child_process next = here.service.start();
        next.tell("join 10000 20000 1");
        next.tell("end");
        const report said(here.first.line());
        const bool replaced = said.what == "replaced";
        if (!replaced) CHECK(said.given + said.back <= connections);
        if (replaced) CHECK(said.given == connections);
        next.kill(SIGKILL);
        next.wait();
        const std::size_t answered = here.count_answered(here.first);
        CHECK(answered == connections - said.given);
        lost += said.given;
        kept += answered;
        if (!replaced)
            for (std::string left = here.first.ask("look"); left != "nothing";) // of the one that only helped
                left = here.first.ask("look");
        here.check_service(here.first, !replaced);
    }
    std::printf("successor killed at %d stops: %zu connections taken by it, %zu with the predecessor\n", stops, lost, kept);
    CHECK(stops > 50);
    CHECK(lost > 0);
    CHECK(kept > 0);
}

TEST_CASE("when a predecessor is killed at any system call the successor has all that was given, and serves",
          "[restart][fault-159]")
{
    int stops        = 0;
    std::size_t lost = 0, kept = 0;
    for (bool killed = true; killed; ++stops) {
        INFO("stop " << stops + 1);
        upgrade here;
        here.second.tell("take_all");
        killed = kill_at(here.first, "give_all", stops + 1);
        const report said(here.second.line());
        if (!killed) {
            CHECK(here.first.line() == "replaced 3 0");
            break;
        }
        CHECK((said.what == "serving" || said.what == "first"));
        const std::size_t answered = here.count_answered(here.second);
        CHECK(answered == said.given);
        kept += answered;
        lost += connections - answered;
        if (said.what == "serving") here.check_service(here.second, true);
    }
    std::printf("predecessor killed at %d stops: %zu connections died with it, %zu with the successor\n", stops, lost, kept);
    CHECK(stops > 50);
    CHECK(lost > 0);
    CHECK(kept > 0);
}

TEST_CASE("a gift is taken or comes back, at whichever system call of the predecessor the successor takes it",
          "[restart][fault-161]")
{
    int stops = 0, taken = 0;
    for (bool stopped = true; stopped; ++stops) {
        INFO("stop " << stops + 1);
        service_under_test service;
        child_process first = service.start_first("50");
        std::string number;
        const plain_socket client = service.connect(first, number);
        child_process second      = service.start_next(first);
        service.begin(first, second);
        first.ask("give " + number + " 1 half");
        CHECK(second.ask("next") == "offered 1 1 4");
        std::string answer;
        {
            test::call_tracer tracer(first.pid(), false);
            first.tell("until_failed");
            using stop   = test::call_tracer::stop;
            stop reached = tracer.next();
            for (int seen = 1; reached != stop::over && seen < stops + 1; ++seen)
                reached = tracer.next();
            stopped = reached != stop::over;
            answer  = second.ask("take 1"); // while the other stands still
            second.kill(SIGKILL);           // the upgrade fails in any case
            tracer.let_go();
        }
        const std::string said = first.line();
        INFO(answer << "; " << said);
        const bool was_taken = answer == "0 1 'half'";
        CHECK(was_taken == (said.find("given") != std::string::npos));
        CHECK(was_taken != (said.find("returned") != std::string::npos));
        taken += was_taken;
    }
    std::printf("%d stops of a predecessor that takes back: taken at %d of them\n", stops, taken);
    CHECK(taken > 0);
    CHECK(taken < stops);
}
