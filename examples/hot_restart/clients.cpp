// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "clients.hpp"

#include "../support/child.hpp"

#include <cerrno>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hot_restart {

line_clients::line_clients(std::size_t count, std::uint16_t port) : port_(port), all_(count)
{
    for (client& one : all_)
        connect(one);
}

line_clients::~line_clients()
{
    for (const client& one : all_)
        ::close(one.descriptor);
}

void line_clients::connect(client& one) const
{
    one            = {};
    one.descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family      = AF_INET;
    address.sin_port        = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    play::require(::connect(one.descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
                  "the service takes connections at any time");
}

// If the connection has ended, the next receive says so.
void line_clients::send(client& one, const std::string& piece)
{
    (void)!::send(one.descriptor, piece.data(), piece.size(), MSG_NOSIGNAL);
}

void line_clients::begin_line(client& one)
{
    send(one, "this is line " + std::to_string(++one.line));
    one.in_the_middle = true;
}

void line_clients::end_line(client& one)
{
    send(one, " of this client\n");
    one.in_the_middle = false;
}

void line_clients::receive(client& one)
{
    char room[4096];
    const ssize_t got = ::recv(one.descriptor, room, sizeof room, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        ++disconnects_;
        ::close(one.descriptor);
        connect(one);
        begin_line(one);
        return;
    }
    one.received.append(room, static_cast<std::size_t>(got));
    const std::string number = std::to_string(one.line);
    const std::string due    = number + " this is line " + number + " of this client\n";
    play::require(due.starts_with(one.received), "line " + number + " is answered with its number: \"" + one.received + '"');
    if (one.received != due) return;
    one.received.clear();
    one.has_answer = true;
    ++answers_;
    begin_line(one);
}

bool line_clients::talk(int other)
{
    std::vector<pollfd> asked;
    for (client& one : all_) {
        if (one.line == 0)
            begin_line(one);
        else if (one.in_the_middle)
            end_line(one);
        asked.push_back({one.descriptor, POLLIN, 0});
    }
    asked.push_back({other, POLLIN, 0});
    ::poll(asked.data(), asked.size(), 10);
    for (std::size_t i = 0; i < all_.size(); ++i)
        if (asked[i].revents != 0) receive(all_[i]);
    return asked.back().revents != 0;
}

bool line_clients::all_talk() const
{
    for (const client& one : all_)
        if (!one.has_answer) return false;
    return true;
}

} // namespace hot_restart
