// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Signals to a supervisor that takes them. tests/deployment/ has the signals that come to the whole process group.
#include "process/prefork/prefork_bodies.hpp"
#include "process/prefork/prefork_crew.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <csignal>
#include <string>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;
using test::is_deaf;
using test::obeys;

/// Runs, and says each change, and the error of the run. args: the kind of workers, options; whether workers take signals.
SHAREDSOCK_CHILD_ROLE("runs with signals")
{
    const bool is_to_be_deaf     = role.args.at(0) == "is deaf";
    const bool workers_take_them = role.args.at(2) == "workers take them";
    prefork::options how         = test::read_options(role.args.at(1));
    how.on_change                = [&role](const prefork::worker_status& one) {
        role.say(std::to_string(one.place) + ' ' + to_string(one.state) + ' ' + std::to_string(one.generation));
    };
    prefork::supervisor all(how, [is_to_be_deaf, workers_take_them](prefork::worker& self) {
        sigset_t blocked;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGTTIN, SIGTTOU})
            if (sigismember(&blocked, signal) != workers_take_them) return 1;
        if (sigismember(&blocked, SIGUSR1) != 0) return 1;
        return is_to_be_deaf ? is_deaf(self) : obeys(self);
    });
    all.take_signals({.workers = workers_take_them, .one_request = std::chrono::nanoseconds(0)});
    ss::error_code ec;
    all.run(ec);
    role.say(ec ? ec.message() : "finished");
    return ec ? 1 : 0;
}

TEST_CASE("signals drive a supervisor that was asked to take them", "[prefork]")
{
    const std::string workers = GENERATE("workers take them", "workers do not");
    test::crew_process crew("runs with signals", {"obeys", "workers=1", workers});
    crew.wait_for("0 ready 1");
    crew.kill(SIGTTIN);
    crew.wait_for("1 ready 1");
    crew.kill(SIGHUP);
    crew.wait_for("0 ready 2");
    crew.wait_for("1 ready 2");
    crew.kill(SIGTTOU);
    crew.wait_for("1 ended 2");
    SECTION("SIGTERM") { crew.kill(SIGTERM); }
    SECTION("SIGINT") { crew.kill(SIGINT); }
    SECTION("SIGQUIT") { crew.kill(SIGQUIT); }
    crew.wait_for("0 draining 2");
    crew.wait_for("0 ended 2");
    crew.wait_for("finished");
    CHECK(crew.wait() == 0);
}

TEST_CASE("a second SIGTERM ends a supervisor's wait for workers that drain", "[prefork]")
{
    test::crew_process crew("runs with signals", {"is deaf", "workers=2", "workers take them"});
    crew.wait_for("1 ready 1");
    crew.kill(SIGTERM);
    crew.wait_for("0 draining 1");
    crew.kill(SIGTERM);
    crew.wait_for(make_error_code(ss::errc::workers_killed).message());
    CHECK(crew.wait() == 1);
}
