// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "deployment/conversation.hpp"

#include "support/deadline.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace {

namespace prefork = sharedsock::prefork;

std::string line_from(int connection)
{
    std::string text;
    char one = 0;
    for (;;) {
        const ssize_t got = ::recv(connection, &one, 1, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) return "end";
        if (got < 0) return "lost";
        if (one == '\n') return text;
        text += one;
    }
}

std::string signals_of_this_process()
{
    std::ifstream status("/proc/self/status");
    std::string all;
    for (std::string line; std::getline(status, line);)
        for (const char* const name : {"SigBlk:\t", "SigIgn:\t", "SigCgt:\t"})
            if (line.starts_with(name)) all += (all.empty() ? "" : " ") + line.substr(8);
    return all;
}

// A process whose parent ends, and that ends after it; returns its pid.
std::string orphan()
{
    std::array<int, 2> parent_lives{}, named{};
    if (::pipe(parent_lives.data()) != 0 || ::pipe(named.data()) != 0) return "no pipe";
    const pid_t parent = ::fork();
    if (parent == 0) {
        const pid_t child = ::fork();
        char none         = 0;
        if (child == 0) {
            ::close(parent_lives[1]);
            ::close(named[1]);
            ::_exit(static_cast<int>(::read(parent_lives[0], &none, 1))); // 0, at the end of its parent
        }
        ::_exit(::write(named[1], &child, sizeof child) == sizeof child ? 0 : 1);
    }
    ::close(parent_lives[1]);
    pid_t child = 0;
    static_cast<void>(!::read(named[0], &child, sizeof child));
    ::waitpid(parent, nullptr, 0);
    for (const int one : {parent_lives[0], named[0], named[1]})
        ::close(one);
    return std::to_string(child);
}

void send_line(int connection, const std::string& line)
{
    const std::string bytes = line + '\n';
    static_cast<void>(::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

} // namespace

std::string converse(int connection)
{
    send_line(connection, "hello " + std::to_string(::getpid()));
    std::string request = line_from(connection);
    if (request == "go") send_line(connection, "answer");
    if (request == "signals") send_line(connection, signals_of_this_process());
    if (request == "orphan") send_line(connection, orphan());
    if (request.starts_with("exists ")) send_line(connection, ::kill(std::stoi(request.substr(7)), 0) == 0 ? "yes" : "no");
    if (request == "die") ::raise(SIGKILL);
    if (request == "hang")
        for (;;)
            ::pause();
    ::close(connection);
    return request;
}

void converse_with_the_next(int listener)
{
    pollfd waits{listener, POLLIN, 0};
    while (::poll(&waits, 1, -1) < 0) {
    }
    converse(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
}

int serve(prefork::worker& self, int listener, const serving& how)
{
    const auto interval  = self.beat_interval();
    const int limit_ms   = interval == prefork::for_ever ? -1 : static_cast<int>(interval / std::chrono::milliseconds(1));
    std::uint64_t served = 0;
    self.ready();
    for (;;) {
        std::array<pollfd, 2> waits{pollfd{listener, POLLIN, 0}, pollfd{self.native_handle(), POLLIN, 0}};
        ::poll(waits.data(), waits.size(), limit_ms);
        self.beat();
        if (self.draining()) return 0;
        const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) continue;
        converse(connection);
        ++served;
        if (served == how.ends_after) return 0;
        if (served == how.retires_after + self.jitter(how.jitter)) self.retire();
    }
}

int listen_on_loopback(std::uint16_t& port)
{
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size          = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 64) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::system_error(errno, std::generic_category(), "listen");
    port = ntohs(address.sin_port);
    return listener;
}

client::client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    const timeval limit{std::chrono::duration_cast<std::chrono::seconds>(patience).count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port        = htons(port);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        throw std::system_error(errno, std::generic_category(), "connect");
    const std::string greeting = line_from(socket_);
    if (!greeting.starts_with("hello ")) throw std::runtime_error("no worker said hello: " + greeting);
    server_ = std::stoi(greeting.substr(6));
}

client::~client() { ::close(socket_); }

std::string client::ask(const std::string& line)
{
    say(line);
    return line_from(socket_);
}

void client::say(const std::string& line) const { send_line(socket_, line); }

} // namespace test
