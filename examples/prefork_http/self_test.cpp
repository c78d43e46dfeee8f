// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "self_test.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
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
    ~client()
    {
        ::shutdown(socket_, SHUT_RDWR); // a worker that was forked meanwhile has a duplicate
        ::close(socket_);
    }
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

    /// Waits until the server has closed the connection.
    void wait_for_end()
    {
        char none;
        require(::recv(socket_, &none, 1, 0) == 0, "a worker that drains closes a connection after its last answer");
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

/// Whether the acceptors in the accept queue are the present workers, all of them.
bool all_in_line(server& of)
{
    std::set<pid_t> in_line, workers;
    const auto processes = of.listener().where().processes();
    for (const ss::handle_info& each : of.listener().handles())
        for (const ss::process_info& one : processes)
            if (each.accepts_in_turn && each.process == one.id) in_line.insert(one.pid);
    for (const score& each : of.scores())
        if (each.starts != 0) workers.insert(each.pid);
    return in_line == workers;
}

/// Asks `least` times, twice on each connection, and goes on until `workers` have answered: one that the kernel lets run late is
/// passed over. Counts the answers by worker.
std::map<pid_t, int> ask(const ss::socket_address& server, int least, std::size_t workers)
{
    std::map<pid_t, int> answers;
    for (int asked = 0; asked < least || (answers.size() < workers && asked < 4'000); asked += 2) {
        client one(server);
        ++answers[one.ask()];
        ++answers[one.ask()];
    }
    return answers;
}

bool accepts(server& of, pid_t worker)
{
    const auto processes = of.listener().where().processes();
    return std::ranges::any_of(of.listener().handles(), [&](const ss::handle_info& each) {
        return each.accepts_in_turn && std::ranges::any_of(processes, [&](const ss::process_info& one) {
                   return one.pid == worker && one.id == each.process;
               });
    });
}

/// A worker that drains answers what its clients had sent, or were about to send, before they could know.
void try_requests_that_come_during_the_drain(server& tested)
{
    const auto address = tested.listener().local_address();
    std::map<pid_t, std::unique_ptr<client>> answered; // a connection to each worker
    for (int asked = 0; asked < 1'000 && answered.size() < tested.settings().workers; ++asked) {
        auto one = std::make_unique<client>(address);
        answered.emplace(one->ask(), std::move(one));
    }
    require(answered.size() == tested.settings().workers, "every worker accepts in turn");
    const auto has = [](std::uint32_t count) {
        return [count](const score& each) { return each.starts != 0 && each.open == count; };
    };
    wait_until("each worker has the connection that it has answered, and no other", [&] {
        return std::ranges::count_if(tested.scores(), has(1)) == static_cast<std::ptrdiff_t>(tested.settings().workers);
    });
    client fresh(address);
    pid_t accepted_by = 0;
    wait_until("the connection is accepted", [&] {
        const auto found = std::ranges::find_if(tested.scores(), has(2));
        accepted_by      = found != tested.scores().end() ? found->pid.load() : 0;
        return accepted_by != 0;
    });
    ::kill(accepted_by, SIGTERM);
    wait_until("a worker that drains accepts nothing", [&] { return !accepts(tested, accepted_by); });
    require(fresh.ask() == accepted_by, "a worker that drains answers the first request of a connection");
    require(answered.at(accepted_by)->ask() == accepted_by, "a worker that drains answers one more request");
    fresh.wait_for_end();
    answered.at(accepted_by)->wait_for_end();
    wait_until("the worker is replaced", [&] {
        tested.supervise();
        return all_in_line(tested) &&
               std::ranges::none_of(tested.scores(), [&](const score& each) { return each.pid == accepted_by; });
    });
}

bool is_there(const options& of)
{
    ss::segment_options place;
    place.directory = of.directory;
    ss::error_code ec;
    ss::segment::open(of.segment, place, ec);
    return ec != ss::errc::segment_not_found;
}

/// A second server on the port of the first.
void try_in_vain(const server& first)
{
    options wanted = first.settings();
    wanted.port    = first.listener().local_address().port();
    wanted.segment += ".second";
    bool began = true;
    try {
        const server second(wanted);
    } catch (const ss::system_error& failure) {
        began = failure.code() != boost::system::errc::address_in_use;
    }
    require(!began, "a port that is in use is refused");
    require(!is_there(wanted), "a server that cannot begin leaves no segment");
}

void try_out(server& tested)
{
    const auto address        = tested.listener().local_address();
    const std::size_t workers = tested.settings().workers;
    require(workers > 1, "there is more than one worker");
    tested.start();
    wait_until("all workers are in the accept queue", [&] { return all_in_line(tested); });

    auto lasting       = std::make_optional<client>(address);
    const pid_t steady = lasting->ask();
    const auto before  = ask(address, 96, workers);
    require(before.size() == workers, "every worker accepts in turn");
    require(lasting->ask() == steady, "a connection stays where it was accepted");

    const pid_t victim = std::find_if(before.begin(), before.end(), [&](const auto& one) { return one.first != steady; })->first;
    ::kill(victim, SIGKILL);
    siginfo_t end;
    require(::waitid(P_PID, static_cast<id_t>(victim), &end, WEXITED | WNOWAIT) == 0, "a worker can be killed");
    const auto died = steady_clock::now();
    require(ask(address, 2, 1).size() == 1, "connections are accepted although a worker has died");
    const auto went_on = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - died);
    wait_until("the dead worker is replaced", [&] {
        tested.supervise();
        auto& scores = tested.scores();
        return std::none_of(scores.begin(), scores.end(), [&](const score& each) { return each.pid == victim; }) &&
               all_in_line(tested);
    });

    const auto after = ask(address, 98, workers);
    require(after.size() == workers && !after.contains(victim), "every worker accepts in turn, the new one as well");
    require(lasting->ask() == steady && lasting->ask() == steady, "a connection of another worker survives");
    int asked = 4 + 2; // on `lasting`, and after the death
    for (const auto& answers : {before, after})
        for (const auto& [worker, count] : answers)
            asked += count;
    std::uint64_t counted = 0;
    for (const score& each : tested.scores())
        counted += each.requests;
    require(counted == static_cast<std::uint64_t>(asked), "each request was counted");
    lasting.reset();
    try_requests_that_come_during_the_drain(tested);
    require(tested.stop(), "all workers end well when they are asked to");
    std::cout << asked << " requests, " << counted << " answers; a worker was killed, and the next connection was answered "
              << went_on.count() << " us later" << std::endl;
}

} // namespace

void self_test(options wanted)
{
    {
        server tested(std::move(wanted));
        wanted = tested.settings();
        try_in_vain(tested);
        try_out(tested);
    }
    require(!is_there(wanted), "nothing is left of the segment");
}

} // namespace prefork_http
