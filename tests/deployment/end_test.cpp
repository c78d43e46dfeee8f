// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Workers that end after so many requests, that retire, and rolls that come during rolls: with clients that must not notice.
#include "deployment/conversation.hpp"
#include "process/prefork/prefork_bodies.hpp"
#include "process/prefork/prefork_crew.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;
using test::client;

/// args: options; then three numbers (see `test::serving`). Says its port, then obeys commands.
SHAREDSOCK_CHILD_ROLE("supervises workers with a limit")
{
    std::uint16_t port = 0;
    const int listener = test::listen_on_loopback(port);
    role.say(std::to_string(port));
    const test::serving rules{std::stoull(role.args.at(1)), std::stoull(role.args.at(2)), std::stoull(role.args.at(3))};
    std::string log;
    prefork::supervisor all(test::crew_role::logging(test::read_options(role.args.at(0)), log),
                            [&](prefork::worker& self) { return test::serve(self, listener, rules); });
    return test::crew_role(all, log).serve(role);
}

namespace {

struct limited {
    explicit limited(const std::vector<std::string>& arguments) : crew("supervises workers with a limit", arguments)
    {
        port = static_cast<std::uint16_t>(std::stoi(crew.line()));
        crew.tell_done("start");
        crew.ask("calm");
    }

    /// So many requests, one after the other, while the supervisor works; returns how many were answered. Keeps its log.
    int requests(int count)
    {
        std::atomic<int> answered{0};
        std::atomic<bool> over{false};
        std::jthread asks([&] {
            try {
                for (int i = 0; i < count; ++i)
                    answered += client(port).ask("go") == "answer";
            } catch (const std::exception&) { // no worker: the count tells
            }
            over = true;
        });
        while (!over)
            log += ", " + crew.ask("poll");
        log += ", " + crew.ask("calm");
        return answered;
    }

    test::crew_process crew;
    std::uint16_t port = 0;
    std::string log;
};

// The fewest workers that were ready at one time, by the log of the changes, if `ready` were at its beginning.
int fewest_ready(const std::string& log, std::map<int, bool> ready)
{
    const auto count = [&] {
        return static_cast<int>(std::count_if(ready.begin(), ready.end(), [](auto& one) { return one.second; }));
    };
    int fewest = count();
    std::istringstream changes(log);
    for (std::string change; std::getline(changes, change, ',');) {
        std::istringstream words(change);
        int place = 0;
        std::string state;
        if (!(words >> place >> state)) continue;
        ready[place] = state == "ready";
        fewest       = std::min(fewest, count());
    }
    return fewest;
}

} // namespace

TEST_CASE("workers that end after some requests are replaced at once, and no request is lost", "[fault-120]")
{
    limited service({"workers=3 limit.deaths=1", "3", "0", "0"});
    CHECK(service.requests(60) == 60);
    CHECK(service.crew.ask("restarts") == "0 0 0");
    CHECK(service.log.find("backing off") == std::string::npos);
    std::size_t generations = 0;
    std::istringstream all(service.crew.ask("status"));
    for (std::string one; all >> one;)
        generations += std::stoul(one.substr(one.rfind(':') + 1));
    CHECK(generations >= 20);
}

TEST_CASE("workers that retire have a successor before they drain, and there are never fewer than wanted", "[fault-121]")
{
    limited service({"workers=2 limit.deaths=1", "0", "3", "2"});
    CHECK(service.requests(60) == 60);
    INFO(service.log);
    CHECK(service.log.find("0 draining") != std::string::npos);
    CHECK(service.log.find("1 draining") != std::string::npos);
    CHECK(fewest_ready(service.log, {{0, true}, {1, true}}) == 2);
    CHECK(service.crew.ask("restarts") == "0 0");
    service.crew.tell_done("stop");
    service.crew.ask("calm");
    CHECK(service.crew.ask("children") == "0");
}

TEST_CASE("a roll during a roll goes on with the workers that have waited longest", "[fault-123]")
{
    limited service({"workers=4", "0", "0", "0"});
    for (int i = 0; i < 12; ++i) { // each as soon as the one before has asked a worker to drain
        service.crew.tell_done("roll");
        std::string news;
        REQUIRE(test::eventually([&] {
            news += ", " + service.crew.ask("poll");
            return news.find("draining") != std::string::npos;
        }));
        service.log += news;
    }
    service.log += ", " + service.crew.ask("calm");
    INFO(service.log);
    for (const std::string place : {"0", "1", "2", "3"}) {
        const auto first = service.log.find(place + " draining");
        REQUIRE(first != std::string::npos);
        CHECK(service.log.find(place + " draining", first + 1) != std::string::npos);
    }
    CHECK(service.requests(4) == 4);
}

// --- the segment ------------------------------------------------------------------------------------------------------

/// args: name of a segment; whether workers leave a thread behind. Obeys commands.
SHAREDSOCK_CHILD_ROLE("supervises workers in a segment")
{
    auto segment             = ss::segment::create(role.args.at(0));
    auto listener            = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    const bool leaves_thread = role.args.at(1) == "leaves a thread";
    segment.publish("listener", listener);
    std::string log;
    prefork::supervisor all(test::crew_role::logging(test::read_options("workers=1"), log), [&](prefork::worker& self) {
        self.appear_in(segment);
        ss::event_object ready;
        listener.event_select(ready, ss::network_event::accept);
        if (leaves_thread) std::thread([] { ::pause(); }).detach();
        return test::obeys(self);
    });
    return test::crew_role(all, log).serve(role);
}

TEST_CASE("a forked worker has left its segments in order when its function has returned", "[fault-129]")
{
    const std::string name = test::unique_name();
    test::crew_process crew("supervises workers in a segment", {name, "leaves none"});
    crew.tell_done("start");
    crew.ask("calm");
    const auto segment = ss::segment::open(name);
    const pid_t worker = crew.pids().at(0);
    REQUIRE(segment.find_process(worker));
    crew.tell_done("stop"); // the supervisor looks at nothing from here on, and does not sweep
    CHECK(test::eventually([&] {
        const auto all = segment.processes();
        return std::none_of(all.begin(), all.end(), [&](const ss::process_info& one) { return one.pid == worker; });
    }));
    CHECK(segment.processes().size() == 2);
    crew.ask("calm");
    ss::segment::remove(name, {}, true);
}

TEST_CASE("a forked worker that leaves a thread behind ends all the same, and is swept", "[fault-129]")
{
    const std::string name = test::unique_name();
    test::crew_process crew("supervises workers in a segment", {name, "leaves a thread"});
    crew.tell_done("start");
    crew.ask("calm");
    auto segment       = ss::segment::open(name);
    const pid_t worker = crew.pids().at(0);
    crew.tell_done("stop");
    CHECK(crew.ask("calm").find("0 ended (ended with 0)") != std::string::npos);
    segment.sweep();
    for (const ss::process_info& one : segment.processes())
        CHECK(one.pid != worker);
    ss::segment::remove(name, {}, true);
}
