// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/turn_worker.hpp"

#include "support/deadline.hpp"
#include "support/eventually.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

enum : std::uint64_t { ready = 1, alarm_rang = 2 };

// args: segment, manner, order, batch, patrol in milliseconds. Hears its ticket, then accepts in turn for ever.
SHAREDSOCK_CHILD_ROLE(takes turns)
{
    ss::segment segment = ss::segment::open(role.args.at(0));
    const auto manner   = static_cast<test::turn_manner>(std::stoi(role.args.at(1)));
    ss::turn_options how;
    how.order  = static_cast<ss::turn_order>(std::stoi(role.args.at(2)));
    how.batch  = static_cast<std::uint32_t>(std::stoul(role.args.at(3)));
    how.patrol = std::chrono::milliseconds(std::stoi(role.args.at(4)));
    role.say("attached");
    ss::turn_acceptor acceptor(ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value())), how);
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    acceptor.stand_by(epoll, ready, alarm_rang);
    role.say("in line");

    std::vector<int> kept;
    for (;;) {
        epoll_event event{};
        if (::epoll_wait(epoll, &event, 1, -1) != 1) continue;
        ss::error_code ec;
        if (event.data.u64 == alarm_rang) {
            acceptor.look(ec);
            if (ec) throw ss::system_error(ec, "look");
            continue;
        }
        if (manner == test::turn_manner::waits) {
            role.say("woken");
            if (role.hear() != "go on") return 1;
        }
        const int connection = acceptor.accept_descriptor(ec);
        if (ec == std::errc::operation_would_block) continue; // another worker was faster
        if (ec) throw ss::system_error(ec, "accept_descriptor");
        const pid_t self = ::getpid();
        if (::send(connection, &self, sizeof self, MSG_NOSIGNAL) != sizeof self) throw std::runtime_error("no answer sent");
        if (manner == test::turn_manner::keeps) {
            kept.push_back(connection);
            segment.set_load(static_cast<std::uint32_t>(kept.size()));
        } else {
            ::close(connection);
        }
    }
}

// The kernel passes over a process on its way to epoll_wait as over a busy one.
bool sleeps(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    return name_end != line.npos && line.compare(name_end, 3, ") S") == 0;
}

} // namespace

namespace test {

turn_listener::turn_listener()
    : socket(ss::shared_socket::listen(home, ss::socket_address::loopback(0))), port(socket.local_address().port())
{}

turn_worker::turn_worker(turn_listener& from, turn_manner manner, const ss::turn_options& how)
    : process_("takes turns",
               {from.home.name(), std::to_string(static_cast<int>(manner)), std::to_string(static_cast<int>(how.order)),
                std::to_string(how.batch), std::to_string(how.patrol.count())})
{
    process_.wait_for("attached");
    process_.tell(from.socket.duplicate_for_pid(process_.pid()).to_text());
    process_.wait_for("in line");
    if (!eventually([this] { return sleeps(process_.pid()); }))
        throw std::runtime_error("a worker in the accept queue does not wait");
}

caller::caller(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    const ss::socket_address to = ss::socket_address::loopback(port);
    if (fd_ < 0 || ::connect(fd_, to.data(), to.size()) != 0) throw std::system_error(errno, std::generic_category(), "connect");
}

caller::~caller()
{
    if (fd_ >= 0) ::close(fd_);
}

caller::caller(caller&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

pid_t caller::accepted_by()
{
    pollfd readable{fd_, POLLIN, 0};
    pid_t who = 0;
    if (::poll(&readable, 1, deadline().left_ms()) != 1 || ::recv(fd_, &who, sizeof who, MSG_DONTWAIT) != sizeof who)
        throw std::runtime_error("no worker has accepted the connection");
    return who;
}

bool caller::ended()
{
    pollfd readable{fd_, POLLIN, 0};
    char more = 0;
    return ::poll(&readable, 1, deadline().left_ms()) == 1 && ::recv(fd_, &more, 1, MSG_DONTWAIT) == 0;
}

bool caller::silent() const
{
    char more = 0;
    return ::recv(fd_, &more, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

} // namespace test
