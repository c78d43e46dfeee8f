// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "self_test.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <map>
#include <stdexcept>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace prefork_http {
namespace {

namespace ss = sharedsock;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

void require(bool holds, const std::string& what)
{
    if (!holds) throw std::runtime_error("self-test: it is not true that " + what);
}

/// A client that waits, but never for ever.
class client {
public:
    explicit client(const ss::socket_address& server)
    {
        const timeval limit{5, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        require(::connect(socket_, server.data(), server.size()) == 0, "the server can be reached");
    }
    ~client() { ::close(socket_); }
    client(const client&)            = delete;
    client& operator=(const client&) = delete;

    /// The pid of the worker that answers.
    pid_t ask()
    {
        constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        constexpr std::string_view words   = "Hello from process ";
        ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
        std::string answer;
        while (!answer.ends_with(".\n")) {
            std::array<char, 1024> room;
            const ssize_t count = ::recv(socket_, room.data(), room.size(), 0);
            require(count > 0, "every request is answered");
            answer.append(room.data(), static_cast<std::size_t>(count));
        }
        const auto found = answer.find(words);
        require(answer.starts_with("HTTP/1.1 200 OK\r\n") && found != std::string::npos, "the answer is the right one");
        return std::stoi(answer.substr(found + words.size()));
    }

private:
    const int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

template <class Condition>
void wait_until(const std::string& what, Condition holds)
{
    const auto deadline = steady_clock::now() + 5s;
    while (!holds()) {
        require(steady_clock::now() < deadline, what);
        ::usleep(100);
    }
}

pid_t whose_turn(const server& of)
{
    const auto now = of.listener().registration();
    for (const ss::process_info& each : of.listener().where().processes())
        if (now && now->owner == each.id) return each.pid;
    return 0;
}

bool all_in_line(const server& of, std::size_t workers)
{
    const auto handles = of.listener().handles();
    const auto waiting =
        std::count_if(handles.begin(), handles.end(), [](const auto& each) { return each.standing_by; });
    return whose_turn(of) != 0 && static_cast<std::size_t>(waiting) + 1 == workers;
}

/// Asks `count` times, twice on each connection, and counts who answers.
std::map<pid_t, int> ask(const ss::socket_address& server, int count)
{
    std::map<pid_t, int> answers;
    for (int asked = 0; asked < count; asked += 2) {
        client one(server);
        ++answers[one.ask()];
        ++answers[one.ask()];
    }
    return answers;
}

void try_out(server& tested)
{
    const auto address        = tested.listener().local_address();
    const std::size_t workers = tested.settings().workers;
    require(workers > 1, "there is more than one worker");
    tested.start();
    wait_until("all workers stand by", [&] { return all_in_line(tested, workers); });

    client lasting(address);
    const pid_t steady = lasting.ask();
    require(ask(address, 98).size() == workers, "every worker has its turn");
    require(lasting.ask() == steady, "a connection stays where it was accepted");

    if (whose_turn(tested) == steady) {
        const client unasked(address);
        wait_until("who accepts passes its turn on", [&] { return whose_turn(tested) != steady; });
    }
    const pid_t victim = whose_turn(tested);
    const auto killed  = steady_clock::now();
    ::kill(victim, SIGKILL);
    wait_until("the turn of a dead worker passes on", [&] {
        const pid_t now = whose_turn(tested);
        return now != 0 && now != victim;
    });
    const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - killed);
    wait_until("the dead worker is replaced", [&] {
        tested.supervise();
        return all_in_line(tested, workers);
    });

    const auto after = ask(address, 98);
    require(after.size() == workers && !after.contains(victim), "every worker has its turn, the new one as well");
    require(lasting.ask() == steady && lasting.ask() == steady, "a connection of another worker survives");
    std::uint64_t counted = 0;
    for (const score& each : tested.scores())
        counted += each.requests;
    require(counted == 200, "200 requests were counted");
    require(tested.stop(), "all workers end well when they are asked to");
    std::cout << "200 requests, 200 answers; a worker was killed, and its turn passed on within " << passed.count()
              << " us" << std::endl;
}

} // namespace

void self_test(options wanted)
{
    ss::segment_options place;
    place.directory = wanted.directory;
    std::string segment;
    {
        server tested(std::move(wanted));
        segment = tested.settings().segment;
        try_out(tested);
    }
    ss::error_code ec;
    ss::segment::open(segment, place, ec);
    require(ec == ss::errc::segment_not_found, "nothing is left of the segment");
}

} // namespace prefork_http
