// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An echo server as in Asio's documentation, with one line changed: `namespace net`. Two processes run it on one listener; the
// second stands by, and when the first is killed it is the server, with the connections that were not accepted yet.
#include "support/child.hpp"
#include "support/own_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cerrno>
#include <iostream>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;
using play::require;

namespace net {
using acceptor = ss::acceptor;
using stream   = ss::stream;
} // namespace net

// --- ordinary Asio from here ------------------------------------------------------------------------------------------

asio::awaitable<void> echo(net::stream stream)
{
    try {
        char data[1024];
        for (;;) {
            const std::size_t n = co_await stream.async_read_some(asio::buffer(data), asio::use_awaitable);
            co_await asio::async_write(stream, asio::buffer(data, n), asio::use_awaitable);
        }
    } catch (const boost::system::system_error& end) {
        if (end.code() != asio::error::eof) std::cerr << "echo: " << end.what() << std::endl;
    }
}

asio::awaitable<void> serve(net::acceptor& acceptor)
{
    const auto executor = co_await asio::this_coro::executor;
    for (;;) {
        net::stream stream = co_await acceptor.async_accept(asio::use_awaitable);
        asio::co_spawn(executor, echo(std::move(stream)), asio::detached);
    }
}

// --- to here ----------------------------------------------------------------------------------------------------------

play::child start_server(ss::shared_socket& listener)
{
    return play::child([&] {
        asio::io_context io(1);
        net::acceptor acceptor(io.get_executor(), std::move(listener),
                               ss::by_registration); // one at a time, so that the test knows which
        acceptor.async_stand_by([&](ss::error_code ec) {
            if (ec) throw ss::system_error(ec, "stand_by");
            asio::co_spawn(io, serve(acceptor), [](std::exception_ptr failure) {
                if (failure) std::rethrow_exception(failure);
            });
        });
        io.run();
        return 0;
    });
}

/// A plain client, which waits, but never for ever.
class client {
public:
    explicit client(const ss::socket_address& server)
    {
        const timeval limit{10, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        require(::connect(socket_, server.data(), server.size()) == 0, "the server can be reached");
    }
    ~client() { ::close(socket_); }
    client(const client&)            = delete;
    client& operator=(const client&) = delete;

    void say(const std::string& text) const
    {
        std::string back(text.size(), '\0');
        const auto size = static_cast<ssize_t>(text.size());
        require(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == size, "the server listens");
        require(::recv(socket_, back.data(), back.size(), MSG_WAITALL) == size && back == text, "what is said comes back");
    }
    bool has_ended() const
    {
        char byte;
        const ssize_t got = ::recv(socket_, &byte, 1, 0);
        return got == 0 || (got < 0 && errno == ECONNRESET);
    }

private:
    const int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

void run(const ss::segment& segment)
{
    auto listener      = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    const auto address = listener.local_address();
    std::vector<play::child> servers;
    for (int i = 0; i < 2; ++i)
        servers.push_back(start_server(listener));

    int echoes           = 0;
    const auto try_three = [&] {
        const std::array<client, 3> clients{client(address), client(address), client(address)};
        for (int round = 0; round < 10; ++round)
            for (const client& one : clients)
                one.say("words of round " + std::to_string(++echoes));
    };
    try_three();

    pid_t owner           = 0;
    const auto registered = listener.registration();
    require(registered.has_value(), "a process owns the listener's events");
    for (const ss::process_info& each : segment.processes())
        if (each.id == registered->owner) owner = each.pid;
    const client caught(address);
    caught.say("hello");
    for (play::child& one : servers)
        if (one.pid() == owner) one.end(SIGKILL);
    require(caught.has_ended(), "a connection that one process holds goes with it");
    try_three();
    std::cout << echoes << " echoes by two servers, of which one was killed" << std::endl;
}

} // namespace

int main()
try {
    const play::own_segment segment(play::name_of("echo_coroutine"));
    run(segment.here);
    return 0;
} catch (const std::exception& failure) {
    std::cerr << "echo_coroutine: " << failure.what() << std::endl;
    return 1;
}
