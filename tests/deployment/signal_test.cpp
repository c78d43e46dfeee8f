// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Signals that come to every process of a service, or twice, or early, or to one worker.
#include "deployment/conversation.hpp"
#include "deployment/service.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <sharedsock/error.hpp>

#include <csignal>
#include <cstdint>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

using test::client;
using test::service;

namespace {

const std::string killed = make_error_code(sharedsock::errc::workers_killed).message();

/// A terminal, as its emulator sees it.
class terminal {
public:
    terminal() : emulator_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC))
    {
        REQUIRE(::grantpt(emulator_) == 0);
        REQUIRE(::unlockpt(emulator_) == 0);
        name = ::ptsname(emulator_);
    }
    ~terminal() { hang_up(); }
    terminal(const terminal&)            = delete;
    terminal& operator=(const terminal&) = delete;

    void press(char key) const { REQUIRE(::write(emulator_, &key, 1) == 1); }
    void hang_up()
    {
        if (emulator_ >= 0) ::close(emulator_);
        emulator_ = -1;
    }
    std::string name;

private:
    int emulator_;
};

constexpr char control_c = 3, control_backslash = 28;

// A request is under way while `act` happens; it is answered, and the service ends in order.
template <class Action>
void check_that_the_request_is_answered(service& s, Action act)
{
    s.wait_for_worker("0 ready 1");
    client one(s.port());
    act();
    s.wait_for_worker("0 draining 1");
    CHECK(one.ask("go") == "answer");
    CHECK(s.wait_for("end: ") == "in order");
    CHECK(s.wait() == 0);
}

struct signal_masks {
    explicit signal_masks(const std::string& text)
    {
        std::istringstream words(text);
        words >> std::hex >> blocked >> ignored >> caught;
    }
    std::uint64_t blocked = 0, ignored = 0, caught = 0;
};

std::uint64_t mask_of(std::initializer_list<int> signals)
{
    std::uint64_t mask = 0;
    for (const int one : signals)
        mask |= std::uint64_t{1} << (one - 1);
    return mask;
}

} // namespace

TEST_CASE("a stop signal to every process of a service cuts no request, and the supervisor ends in order", "[fault-117]")
{
    const std::string kind = GENERATE("forked", "executed");
    const int number       = GENERATE(SIGTERM, SIGINT, SIGQUIT);
    INFO(kind << ", signal " << number);
    service s({.kind = kind});
    check_that_the_request_is_answered(s, [&] { s.signal_group(number); });
}

TEST_CASE("a key of the terminal that controls a service cuts no request", "[fault-117]")
{
    const std::string kind = GENERATE("forked", "executed");
    const char key         = GENERATE(control_c, control_backslash);
    terminal screen;
    service s({.kind = kind, .terminal = screen.name});
    check_that_the_request_is_answered(s, [&] { screen.press(key); });
}

TEST_CASE("a service in a session of its own drains when its group gets a signal", "[fault-117]")
{
    service s({.by = {"setsid", "--wait"}});
    check_that_the_request_is_answered(s, [&] { s.signal_group(SIGTERM); });
}

TEST_CASE("SIGHUP, SIGTTIN and SIGTTOU to every process of a service leave its workers alone", "[fault-117]")
{
    const std::string kind = GENERATE("forked", "executed");
    INFO(kind);
    service s({.kind = kind});
    s.wait_for_worker("0 ready 1");
    client one(s.port());
    s.signal_group(SIGTTIN);
    s.wait_for_worker("1 ready 1");
    s.signal_group(SIGTTOU);
    s.wait_for("1 ended 1");
    s.signal_group(SIGHUP); // rolls
    s.wait_for_worker("0 draining 1");
    CHECK(one.ask("go") == "answer");
    s.wait_for_worker("0 ready 2");
    CHECK_FALSE(s.has_said("by signal"));
    s.signal_group(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
}

TEST_CASE("a terminal that hangs up rolls the workers, and ends no request", "[fault-117]")
{
    terminal screen;
    service s({.terminal = screen.name});
    s.wait_for_worker("0 ready 1");
    client one(s.port());
    screen.hang_up();
    s.wait_for_worker("0 draining 1");
    CHECK(one.ask("go") == "answer");
    s.wait_for_worker("0 ready 2");
    s.signal(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
}

TEST_CASE("without the choice of workers that take signals a signal to the group ends them, and the exit status says so",
          "[fault-117][fault-118]")
{
    service s({.how = "alone"});
    s.wait_for_worker("0 ready 1");
    client one(s.port());
    s.signal_group(SIGTERM);
    CHECK(one.ask("go") != "answer");
    CHECK(s.wait_for("end: ") == killed);
    CHECK(s.wait() == 1);
}

// --- the exit status --------------------------------------------------------------------------------------------------

TEST_CASE("a supervisor whose worker is killed during a stop says so in its exit status", "[fault-118]")
{
    service s({});
    const pid_t worker = s.wait_for_worker("0 ready 1");
    client one(s.port());
    s.signal(SIGTERM);
    s.wait_for_worker("0 draining 1");
    ::kill(worker, SIGKILL);
    CHECK(s.wait_for("end: ") == killed);
    CHECK(s.wait() == 1);
}

TEST_CASE("a supervisor that has to kill a worker in the end says so in its exit status", "[fault-118]")
{
    service s({.options = "workers=1 drain.asked=20 drain.terminated=20"});
    s.wait_for_worker("0 ready 1");
    client one(s.port()); // never says what it wants
    s.signal_group(SIGTERM);
    CHECK(s.wait_for("end: ") == killed);
    CHECK(s.has_said("0 terminating 1"));
    CHECK(s.wait() == 1);
}

// --- signals that come twice ------------------------------------------------------------------------------------------

TEST_CASE("timeout(1), which sends its signal to the process and to its group, cuts no request", "[fault-119]")
{
    service s({.by = {"timeout", "1000"}});
    check_that_the_request_is_answered(s, [&] { ::kill(s.started(), SIGTERM); });
}

TEST_CASE("a terminal's SIGINT and a shell's SIGTERM at the same time are one request", "[fault-119]")
{
    service s({});
    check_that_the_request_is_answered(s, [&] {
        s.signal_group(SIGINT);
        s.signal_group(SIGTERM);
        s.signal(SIGTERM);
    });
}

TEST_CASE("a stop signal after the time of one request ends the workers at once", "[fault-119]")
{
    service s({});
    const pid_t worker = s.wait_for_worker("0 ready 1");
    client one(s.port());
    s.signal_group(SIGTERM);
    s.wait_for_worker("0 draining 1");
    CHECK(test::eventually([&] {
        s.signal_group(SIGINT); // the impatient user
        return ::kill(worker, 0) != 0;
    }));
    CHECK(s.wait_for("end: ") == killed);
    CHECK(s.has_said("0 killed 1"));
    CHECK(s.wait() == 1);
}

// --- early signals ----------------------------------------------------------------------------------------------------

TEST_CASE("a stop signal that comes before a worker is ready is a request to it, too", "[fault-122]")
{
    const std::string kind = GENERATE("forked", "executed"); // that one has not called `worker::inherit` either
    INFO(kind);
    service s({.kind = kind, .how = "gate"});
    s.wait_for_worker("0 starting 1");
    client one(s.port());
    s.signal_group(SIGTERM);
    s.wait_for_worker("0 draining 1");
    CHECK(one.ask("go") == "answer");
    CHECK(s.wait_for("end: ") == "in order");
    CHECK_FALSE(s.has_said("by signal"));
    CHECK(s.wait() == 0);
}

TEST_CASE("a stop signal to a worker that is not ready yet is no failed start", "[fault-122]")
{
    const std::string kind = GENERATE("forked", "executed");
    INFO(kind);
    service s({.kind = kind, .options = "workers=1 limit.deaths=1", .how = "gate"});
    const pid_t worker = s.wait_for_worker("0 starting 1");
    client one(s.port());
    REQUIRE(one.server() == worker);
    ::kill(worker, SIGTERM);
    CHECK(one.ask("go") == "answer");
    s.wait_for("0 ended 1");
    s.wait_for_worker("0 starting 2");
    client(s.port()).ask("go");
    s.wait_for_worker("0 ready 2");
    s.signal(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
}

// --- signals that were ignored or blocked before ----------------------------------------------------------------------

TEST_CASE("a service that nohup(1) has started ignores SIGHUP, and so do its workers", "[fault-124]")
{
    const std::string kind = GENERATE("forked", "executed");
    INFO(kind);
    service s({.kind = kind, .by = {"nohup"}});
    s.wait_for_worker("0 ready 1");
    client one(s.port());
    s.signal_group(SIGHUP);
    s.signal_group(SIGTTIN);
    s.wait_for_worker("1 ready 1"); // it would have rolled before
    CHECK_FALSE(s.has_said("draining"));
    CHECK((signal_masks(one.ask("signals")).ignored & mask_of({SIGHUP})) != 0);
    s.signal_group(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
}

TEST_CASE("a service that a script has put into the background ignores SIGINT and SIGQUIT, and so do its workers", "[fault-124]")
{
    service s({.by = {"sh", "-c", "\"$@\" & wait $!", "sh"}});
    s.wait_for_worker("0 ready 1");
    client one(s.port());
    for (const int number : {SIGINT, SIGQUIT, SIGTTIN})
        ::kill(s.supervisor(), number);
    ::kill(one.server(), SIGINT);
    s.wait_for_worker("1 ready 1");
    CHECK_FALSE(s.has_said("draining"));
    CHECK(one.ask("go") == "answer");
    s.signal(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
    CHECK(s.wait() == 0);
}

TEST_CASE("a supervisor takes SIGTERM although it was blocked before", "[fault-124]")
{
    service s({.how = "blocked"});
    check_that_the_request_is_answered(s, [&] { s.signal_group(SIGTERM); });
}

// --- one worker -------------------------------------------------------------------------------------------------------

TEST_CASE("a stop signal to one worker drains it, and it is replaced without being counted as a death", "[fault-117]")
{
    const std::string kind = GENERATE("forked", "executed");
    const int number       = GENERATE(SIGTERM, SIGQUIT);
    INFO(kind << ", signal " << number);
    service s({.kind = kind, .options = "workers=1 limit.deaths=1"});
    const pid_t worker = s.wait_for_worker("0 ready 1");
    client one(s.port());
    ::kill(worker, number);
    CHECK(one.ask("go") == "answer");
    s.wait_for_worker("0 draining 1");
    s.wait_for("0 ended 1");
    s.wait_for_worker("0 ready 2");
    s.signal(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
}

// --- what workers and programs get ------------------------------------------------------------------------------------

TEST_CASE("a worker has the signals of its supervisor's set blocked, and no other, and no handler", "[fault-130]")
{
    const std::string kind = GENERATE("forked", "executed");
    INFO(kind);
    service s({.kind = kind, .how = "blocked"});
    s.wait_for_worker("0 ready 1");
    const signal_masks now(client(s.port()).ask("signals"));
    CHECK(now.blocked == mask_of({SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR2})); // USR2 was blocked before
    CHECK((now.caught & mask_of({SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD})) == 0);
}

TEST_CASE("workers that take no signals get the mask from before the supervisor took them", "[fault-130]")
{
    const std::string kind = GENERATE("forked", "executed");
    INFO(kind);
    service s({.kind = kind, .how = "alone"});
    s.wait_for_worker("0 ready 1");
    CHECK(signal_masks(client(s.port()).ask("signals")).blocked == 0);
}
