// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A plugin that has the static library in it.
#include <sharedsock/asio.hpp>
#include <sharedsock/prefork.hpp>
#include <sharedsock/sharedsock.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <exception>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

/// Shares a socket in a segment of that name and reads a byte from it. 0 if all went well.
extern "C" int sharedsock_plugin_works(const char* name)
try {
    ss::segment where = ss::segment::create(name, {.sockets = 8, .processes = 4});
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return 2;
    ss::shared_socket socket = ss::shared_socket::adopt(where, ends[0]);
    ss::shared_socket again  = ss::shared_socket::redeem(where, socket.duplicate(where.self()));
    boost::asio::io_context io;
    ss::stream stream(io.get_executor(), std::move(again));
    if (::send(ends[1], "x", 1, 0) != 1) return 3;
    char byte       = 0;
    std::size_t got = 0;
    stream.async_read_some(boost::asio::buffer(&byte, 1), [&](const ss::error_code&, std::size_t size) { got = size; });
    io.run();
    ::close(ends[1]);
    ss::segment::remove(name, {}, true);
    const ss::prefork::supervisor workers({.workers = 0}, [](ss::prefork::worker&) { return 0; });
    ss::winsock::WSASetLastError(5);
    return got == 1 && byte == 'x' && ss::winsock::WSAGetLastError() == 5 ? 0 : 4;
} catch (const std::exception&) {
    return 1;
}
