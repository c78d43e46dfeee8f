// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "client.hpp"

#include "../support/child.hpp"

#include <algorithm>
#include <array>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace survivor {

using play::require;

client::client(const sharedsock::socket_address& server) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    const timeval limit{10, 0};
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    require(::connect(socket_, server.data(), server.size()) == 0, "the server can be reached");
}

client::~client() { ::close(socket_); }

void client::converse(std::uint64_t until, std::uint64_t last)
{
    while (answered_ < until) {
        send_some(last);
        read_some();
    }
}

// Cuts lines anywhere: a server has to be content with parts of them.
void client::send_some(std::uint64_t last)
{
    constexpr std::uint64_t ahead = 32;
    while (sent_ < std::min(last, answered_ + ahead))
        unsent_ += std::to_string(++sent_) + " please\n";
    const bool all         = sent_ == last || random_() % 4 == 0; // else a part of a line may wait for the next round
    const std::size_t size = all ? unsent_.size() : random_() % (unsent_.size() + 1);
    require(::send(socket_, unsent_.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size), "the connection lasts");
    unsent_.erase(0, size);
}

void client::read_some()
{
    std::array<char, 4096> room;
    const int flags   = unsent_.empty() ? 0 : MSG_DONTWAIT;
    const ssize_t got = ::recv(socket_, room.data(), room.size(), flags);
    if (got < 0 && flags != 0 && errno == EAGAIN) return;
    require(got > 0, "every line is answered: " + std::to_string(answered_ + 1) + " was not");
    unread_.append(room.data(), static_cast<std::size_t>(got));
    for (std::size_t end; (end = unread_.find('\n')) != unread_.npos; unread_.erase(0, end + 1)) {
        ++answered_;
        total_ += answered_;
        const std::string expected = std::to_string(answered_) + ' ' + std::to_string(total_);
        require(unread_.substr(0, end) == expected, "\"" + unread_.substr(0, end) + "\" is \"" + expected + "\"");
    }
}

void client::end()
{
    char byte;
    ::shutdown(socket_, SHUT_WR);
    require(unread_.empty() && ::recv(socket_, &byte, 1, 0) == 0, "after the last answer comes the end");
}

} // namespace survivor
