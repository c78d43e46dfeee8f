// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Workers that hang, and workers that are stopped.
#include "deployment/conversation.hpp"
#include "deployment/service.hpp"
#include "process/prefork/prefork_crew.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <sharedsock/asio/beat.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;
namespace asio    = boost::asio;
using namespace std::chrono_literals;
using std::chrono::steady_clock;
using test::client;
using test::service;

namespace {

// As `test::serve`, on an executor, which beats by itself.
int serve_on_executor(prefork::worker& self, int listener)
{
    asio::io_context io;
    asio::posix::stream_descriptor clients(io, listener), requests(io, ::dup(self.native_handle()));
    const auto beating                    = prefork::beat_on(io.get_executor(), self);
    std::function<void()> wait_for_client = [&] {
        clients.async_wait(clients.wait_read, [&](ss::error_code ec) {
            if (ec) return;
            const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection >= 0) test::converse(connection);
            wait_for_client();
        });
    };
    std::function<void()> wait_for_request = [&] {
        requests.async_wait(requests.wait_read, [&](ss::error_code) { self.draining() ? io.stop() : wait_for_request(); });
    };
    wait_for_client();
    wait_for_request();
    self.ready();
    io.run();
    return 0;
}

} // namespace

/// args: options, kind. Says its port, then obeys commands.
SHAREDSOCK_CHILD_ROLE("supervises with a watchdog")
{
    std::uint16_t port = 0;
    const int listener = test::listen_on_loopback(port);
    role.say(std::to_string(port));
    const bool on_executor = role.args.at(1) == "executor";
    std::string log;
    prefork::supervisor all(test::crew_role::logging(test::read_options(role.args.at(0)), log), [&](prefork::worker& self) {
        return on_executor ? serve_on_executor(self, listener) : test::serve(self, listener);
    });
    return test::crew_role(all, log).serve(role);
}

namespace {

struct watched {
    watched(const std::string& options, const std::string& kind) : crew("supervises with a watchdog", {options, kind})
    {
        port = static_cast<std::uint16_t>(std::stoi(crew.line()));
        crew.tell_done("start");
        crew.ask("calm");
    }
    test::crew_process crew;
    std::uint16_t port = 0;
};

} // namespace

TEST_CASE("a worker that hangs in a request is killed after the limit and replaced, and the other one lives", "[fault-125]")
{
    const std::string kind = GENERATE("loop", "executor");
    INFO(kind);
    watched service("workers=2 watchdog=2000", kind);
    const auto before = service.crew.pids();
    client victim(service.port);
    const std::string place = victim.server() == before.at(0) ? "0" : "1", other = place == "0" ? "1" : "0";
    const auto since = steady_clock::now();
    victim.say("hang");
    const std::string log = service.crew.ask("until " + place + " starting");
    CHECK(steady_clock::now() - since >= 2s);
    CHECK_THAT(log, test::contains(place + " killed, " + place + " ended (was killed by signal 9)"));
    service.crew.ask("calm");
    const auto after = service.crew.pids();
    CHECK(after.at(place == "0" ? 0 : 1) != before.at(place == "0" ? 0 : 1));
    CHECK(after.at(place == "0" ? 1 : 0) == before.at(place == "0" ? 1 : 0));
    CHECK(service.crew.ask("restarts") == (place == "0" ? "1 0" : "0 1"));
    for (int i = 0; i < 4; ++i)
        CHECK(client(service.port).ask("go") == "answer");
}

TEST_CASE("the failure of a worker that hung says so", "[fault-125]")
{
    watched service("workers=1 watchdog=500 limit.deaths=1", "loop");
    client victim(service.port);
    victim.say("hang");
    service.crew.ask("until 0 ended");
    CHECK(service.crew.ask("failure 0") == make_error_code(ss::errc::worker_hung).message());
}

TEST_CASE("a worker that was stopped is in a state of its own, is ready when it goes on, and else killed after the limit",
          "[fault-125]")
{
    watched service("workers=1 watchdog=4000", "loop");
    const pid_t worker = service.crew.pids().at(0);
    const auto is_told = [&service](const std::string& change) { // the status knows at once, `on_change` at the next look
        return test::eventually([&] { return service.crew.ask("poll").find(change) != std::string::npos; });
    };
    ::kill(worker, SIGSTOP);
    CHECK(is_told("0 stopped"));
    CHECK(service.crew.ask("status") == "0:stopped:1");
    ::kill(worker, SIGCONT);
    CHECK(is_told("0 ready"));
    CHECK(client(service.port).ask("go") == "answer");
    ::kill(worker, SIGSTOP);
    CHECK_THAT(service.crew.ask("until 0 starting"), test::contains("0 stopped, 0 killed, 0 ended (was killed by signal 9)"));
    service.crew.ask("calm");
    CHECK(client(service.port).ask("go") == "answer");
}

TEST_CASE("the status tells of a stopped worker without a watchdog as well", "[fault-125]")
{
    watched service("workers=1", "loop");
    const pid_t worker = service.crew.pids().at(0);
    ::kill(worker, SIGSTOP);
    CHECK(test::eventually([&] { return service.crew.ask("status") == "0:stopped:1"; }));
    ::kill(worker, SIGCONT);
    CHECK(test::eventually([&] { return service.crew.ask("status") == "0:ready:1"; }));
}

TEST_CASE("a service that was stopped for longer than the limit goes on with the same workers", "[fault-125]")
{
    service s({.options = "workers=2 watchdog=4000"});
    s.wait_for_all({"0 ready 1", "1 ready 1"});
    s.signal_group(SIGSTOP); // as Ctrl-Z does
    const auto stopped = steady_clock::now();
    while (steady_clock::now() - stopped < 4'500ms)
        ::usleep(10'000); // the time itself is tested
    s.signal_group(SIGCONT);
    const auto went_on = steady_clock::now();
    while (steady_clock::now() - went_on < 2s) // four looks
        REQUIRE(client(s.port()).ask("go") == "answer");
    s.signal_group(SIGTERM);
    CHECK(s.wait_for("end: ") == "in order");
    CHECK_FALSE(s.has_said("killed"));
}
