// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "client.hpp"

#include "sha256.hpp"

#include <sstream>
#include <stdexcept>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace handoff {

void require(bool holds, const std::string& what)
{
    if (!holds) throw std::runtime_error("self-test: it is not true that " + what);
}

answer understand(const std::string& body)
{
    answer got;
    std::istringstream words(body.substr(0, body.find('\n')));
    words >> got.worker;
    for (std::string word; words >> word;) {
        const auto equals       = word.find('=');
        const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
        if (word.starts_with("moves=")) got.moves = std::stoull(value);
        if (word.starts_with("bytes=")) got.bytes = std::stoull(value);
        if (word.starts_with("sha256=")) got.sha256 = value;
        if (word.starts_with("path=")) got.path = value;
    }
    return got;
}

std::string sum_of(std::string_view body)
{
    sha256 sum;
    sum.add(std::as_bytes(std::span(body)));
    return sum.hex();
}

client::client(const sharedsock::socket_address& server) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    const timeval limit{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    require(::connect(socket_, server.data(), server.size()) == 0, "the server can be reached");
}
client::~client() { ::close(socket_); }

void client::ask(const std::string& path, const std::string& body)
{
    const std::string text = (body.empty() ? "GET " : "PUT ") + path +
                             " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    for (std::size_t sent = 0; sent < text.size();) {
        const ssize_t count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        require(count > 0, "the server takes requests");
        sent += static_cast<std::size_t>(count);
    }
}

void client::end() { ::shutdown(socket_, SHUT_WR); }

answer client::receive()
{
    constexpr std::string_view length = "Content-Length: ";
    while (unread_.find("\r\n\r\n") == std::string::npos) {
        char room[4096];
        const ssize_t count = ::recv(socket_, room, sizeof room, 0);
        require(count > 0, "every request is answered, by the process that has the connection");
        unread_.append(room, static_cast<std::size_t>(count));
    }
    const std::string head = take(unread_.find("\r\n\r\n") + 4);
    const std::size_t body = std::stoul(head.substr(head.find(length) + length.size()));
    answer got             = understand(take(body));
    got.status             = std::stoi(head.substr(head.find(' ')));
    return got;
}

std::string client::take(std::size_t count)
{
    while (unread_.size() < count) {
        char room[4096];
        const ssize_t more = ::recv(socket_, room, sizeof room, 0);
        require(more > 0, "every answer is whole");
        unread_.append(room, static_cast<std::size_t>(more));
    }
    const std::string taken = unread_.substr(0, count);
    unread_.erase(0, count);
    return taken;
}

} // namespace handoff
