// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The program examples/prefork_http, unchanged. It tells the counts of its workers at /stats.
#include "accept/scheme.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace accept_bench {
namespace {

#ifdef ACCEPT_BENCH_PREFORK_HTTP
constexpr const char* program = ACCEPT_BENCH_PREFORK_HTTP;
#else
constexpr const char* program = "";
#endif

std::string ask(std::uint16_t port, const std::string& target)
{
    const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family      = AF_INET;
    to.sin_port        = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(connection, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("connect");
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    if (::send(connection, request.data(), request.size(), MSG_NOSIGNAL) < 0) fail("send");
    std::string answer;
    std::array<char, 4096> room;
    for (ssize_t got = 0; (got = ::recv(connection, room.data(), room.size(), 0)) > 0;)
        answer.append(room.data(), static_cast<std::size_t>(got));
    ::close(connection);
    return answer;
}

class prefork_http final : public scheme {
public:
    ~prefork_http() override
    {
        if (server_ <= 0) return;
        ::kill(server_, SIGTERM);
        ::waitpid(server_, nullptr, 0);
    }
    bool foreign() const override { return true; }
    std::uint16_t prepare(unsigned workers) override
    {
        workers_ = workers;
        int said[2];
        if (::pipe(said) != 0) fail("pipe");
        server_ = ::fork();
        if (server_ < 0) fail("fork");
        if (server_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            ::dup2(said[1], STDOUT_FILENO);
            ::close(said[0]);
            ::close(said[1]);
            ::execl(program, program, "--port", "0", "--workers", std::to_string(workers).c_str(), "--quiet", nullptr);
            fail(program);
        }
        ::close(said[1]);
        std::array<char, 256> line{};
        if (::read(said[0], line.data(), line.size() - 1) <= 0) throw std::runtime_error("prefork_http did not start");
        ::close(said[0]);
        if (std::sscanf(line.data(), "http://127.0.0.1:%hu/", &port_) != 1)
            throw std::runtime_error("prefork_http does not say its port");
        return port_;
    }
    std::vector<pid_t> helpers() override
    {
        const auto workers = workers_of(server_, workers_);
        all_counters ignored;
        for (int tries = 0; tries < 500; ++tries, ::poll(nullptr, 0, 10)) // until all of them serve
            if (told(ignored) == workers_) return workers;
        throw std::runtime_error("the workers of prefork_http do not serve");
    }
    void count(all_counters& counters) override
    {
        if (told(counters) != workers_) throw std::runtime_error("prefork_http has lost a worker");
    }

private:
    /// The number of workers that tell their counts.
    unsigned told(all_counters& counters) const
    {
        const std::string all = ask(port_, "/stats");
        unsigned count        = 0;
        for (std::size_t at = 0; count < workers_ && (at = all.find("\"accepts\"", at)) != all.npos; ++at, ++count) {
            unsigned long accepts = 0, requests = 0;
            if (std::sscanf(all.c_str() + at, "\"accepts\": %lu, \"requests\": %lu", &accepts, &requests) != 2) break;
            counters[count].accepts  = accepts;
            counters[count].requests = requests;
        }
        return count;
    }

    unsigned workers_   = 0;
    pid_t server_       = 0;
    std::uint16_t port_ = 0;
};

} // namespace

std::vector<pid_t> workers_of(pid_t server, unsigned count)
{
    const std::string children = "/proc/" + std::to_string(server) + "/task/" + std::to_string(server) + "/children";
    for (int tries = 0; tries < 500; ++tries, ::poll(nullptr, 0, 10)) {
        std::ifstream file(children);
        std::vector<pid_t> all;
        for (pid_t one = 0; file >> one;)
            all.push_back(one);
        if (all.size() >= count) return all;
    }
    throw std::runtime_error("a server did not start its workers");
}

bool prefork_http_built() { return ::access(program, X_OK) == 0; }
std::unique_ptr<scheme> make_prefork_http() { return std::make_unique<prefork_http>(); }

} // namespace accept_bench
