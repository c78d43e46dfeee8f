// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Workers that share a listener, which is served while workers are replaced, die, become more and fewer.
#include "process/prefork/prefork_crew.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;

namespace {

// Accepts in its turn, and tells each client its pid.
int serve(prefork::worker& self, ss::segment& segment, ss::shared_socket& listener)
{
    self.appear_in(segment);
    ss::event_object turn;
    listener.stand_by(turn, ss::network_event::accept);
    self.ready();
    const std::string answer = std::to_string(::getpid());
    std::uint32_t served     = 0;
    while (!self.draining()) {
        std::array<pollfd, 2> ready{pollfd{turn.native_handle(), POLLIN, 0}, pollfd{self.native_handle(), POLLIN, 0}};
        ::poll(ready.data(), ready.size(), -1);
        if (!turn.is_set()) continue;
        listener.enum_network_events(turn);
        ss::error_code ec;
        ss::shared_socket client = listener.accept(ec);
        if (!ec) client.send(answer);
        client.close(ec);
        self.set_load(++served);
        listener.pass_on(ec);
    }
    listener.close();
    segment = {};
    return 0;
}

// The pid of the worker that answers; 0 if the connection was refused or broken.
pid_t ask(std::uint16_t port)
{
    const auto address = ss::socket_address::loopback(port);
    const int socket   = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{20 * test::slowness, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::array<char, 32> room{};
    ssize_t size = -1;
    if (::connect(socket, address.data(), address.size()) == 0) size = ::recv(socket, room.data(), room.size() - 1, MSG_WAITALL);
    ::close(socket);
    return size > 0 ? std::stoi(room.data()) : 0;
}

// Asks without a pause, from a thread, until its end.
class clients {
public:
    explicit clients(std::uint16_t port)
        : thread_([this, port] {
              while (!stop_.load()) {
                  const pid_t who = ask(port);
                  ++(who == 0 ? failed : answered);
                  if (who != 0) servers_.insert(who);
              }
          })
    {}
    std::size_t end() // the number of workers that have answered
    {
        stop_.store(true);
        if (thread_.joinable()) thread_.join();
        return servers_.size();
    }
    ~clients() { end(); }

    std::atomic<int> answered{0};
    std::atomic<int> failed{0};

private:
    std::atomic<bool> stop_{false};
    std::set<pid_t> servers_;
    std::thread thread_;
};

} // namespace

/// args: name of a segment, options. Says its port, then obeys commands.
SHAREDSOCK_CHILD_ROLE("supervises servers")
{
    auto segment  = ss::segment::create(role.args.at(0), {.sockets = 256, .processes = 64});
    auto listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    role.say(std::to_string(listener.local_address().port()));
    std::string log;
    prefork::supervisor all(test::crew_role::logging(test::read_options(role.args.at(1)), log),
                            [&](prefork::worker& self) { return serve(self, segment, listener); });
    all.appear_in(segment);
    return test::crew_role(all, log).serve(role);
}

namespace {

struct server {
    explicit server(const std::string& options) : crew("supervises servers", {name, options})
    {
        port = static_cast<std::uint16_t>(std::stoi(crew.line()));
        crew.tell_done("start");
        crew.ask("calm");
    }
    ~server()
    {
        ss::error_code ignored;
        ss::segment::remove(name, {}, true, ignored);
    }
    const std::string name = test::unique_name();
    test::crew_process crew;
    std::uint16_t port = 0;
};

void roll_under_load(const std::string& options)
{
    server s(options);
    clients load(s.port);
    REQUIRE(test::eventually([&] { return load.answered > 0; }));
    for (int i = 0; i < 3; ++i) {
        s.crew.tell_done("roll");
        s.crew.ask("calm");
    }
    const int before = load.answered;
    REQUIRE(test::eventually([&] { return load.answered > before + 10; }));
    CHECK(load.end() > 1); // old ones and new ones
    CHECK(load.failed == 0);
}

} // namespace

TEST_CASE("no connection is refused or lost during a rolling restart", "[prefork]")
{
    SECTION("one missing at a time") { roll_under_load("workers=3"); }
    SECTION("one more than wanted") { roll_under_load("workers=2 max_unavailable=0 surge=1"); }
    SECTION("of a single worker") { roll_under_load("workers=1"); }
}

TEST_CASE("no connection is refused or lost while workers become more and fewer", "[prefork]")
{
    server s("workers=1");
    clients load(s.port);
    for (const char* const number : {"5", "2", "6", "1"}) {
        s.crew.tell_done(std::string("resize ") + number);
        s.crew.ask("calm");
        const int before = load.answered;
        REQUIRE(test::eventually([&] { return load.answered > before + 10; }));
    }
    load.end();
    CHECK(load.failed == 0);
}

TEST_CASE("the records of a killed worker are swept as soon as its parent sees the death", "[prefork]")
{
    server s("workers=2");
    const auto segment = ss::segment::open(s.name);
    const pid_t victim = s.crew.pids().at(1);
    REQUIRE(segment.find_process(victim));
    ::kill(victim, SIGKILL);
    s.crew.ask("until 1 starting");
    for (const ss::process_info& each : segment.processes())
        CHECK(each.pid != victim);
}

TEST_CASE("connections that wait are served by the worker that replaces a killed one", "[prefork]")
{
    server s("workers=1");
    const pid_t first = s.crew.pids().at(0);
    REQUIRE(ask(s.port) == first);
    ::kill(first, SIGKILL);
    pid_t answer = 0;
    std::jthread client([&] { answer = ask(s.port); }); // no worker accepts now; the parent holds the listener
    s.crew.ask("until 0 starting");
    s.crew.ask("calm");
    client.join();
    CHECK(answer == s.crew.pids().at(0));
    CHECK(answer != first);
}

#ifdef SHAREDSOCK_COMMAND_PATH
namespace {

std::string said_by_command(const std::string& words)
{
    std::FILE* const output = ::popen((std::string(SHAREDSOCK_COMMAND_PATH) + ' ' + words).c_str(), "re");
    std::string text;
    for (int byte = std::fgetc(output); byte != EOF; byte = std::fgetc(output))
        text += static_cast<char>(byte);
    ::pclose(output);
    return text;
}

} // namespace

TEST_CASE("the sharedsock program tells workers, their places and states, and their parent", "[prefork]")
{
    server s("workers=2");
    CHECK_THAT(said_by_command("show " + s.name), test::contains("parent of 2"));
    CHECK_THAT(said_by_command("show " + s.name), test::contains("worker 0, ready"));
    CHECK_THAT(said_by_command("show " + s.name), test::contains("worker 1, ready"));
    CHECK_THAT(said_by_command("list"), test::contains("2 of 2 ready"));
    ::kill(s.crew.pids().at(1), SIGKILL);
    CHECK(test::eventually([&] { return said_by_command("list").find("1 of 2 ready") != std::string::npos; }));
    CHECK_THAT(said_by_command("list --json"), test::contains("\"workers_ready\":1"));
    CHECK_THAT(said_by_command("show " + s.name + " --json"), test::contains("\"worker\":\"ready\""));
}
#endif
