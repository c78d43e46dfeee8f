// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace bench {

namespace ss = sharedsock;
using ss::detail::unique_fd;

/// A result of a raw call, or an exception with its errno.
template <class Result>
Result checked(Result result, const char* what)
{
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    return result;
}

/// Two connected stream sockets.
struct pair_of_sockets {
    unique_fd near, far;
};

inline pair_of_sockets unix_pair()
{
    int ends[2];
    checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    return {unique_fd(ends[0]), unique_fd(ends[1])};
}

/// A listener on a free port of the loopback address.
inline unique_fd tcp_listener(ss::socket_address& address)
{
    unique_fd listener(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const ss::socket_address any = ss::socket_address::loopback(0);
    checked(::bind(listener.get(), any.data(), any.size()), "bind");
    checked(::listen(listener.get(), 128), "listen");
    socklen_t size = ss::socket_address::capacity();
    checked(::getsockname(listener.get(), address.data(), &size), "getsockname");
    address.resize(size);
    return listener;
}

inline unique_fd tcp_client(const ss::socket_address& address)
{
    unique_fd client(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    checked(::connect(client.get(), address.data(), address.size()), "connect");
    return client;
}

inline pair_of_sockets tcp_pair()
{
    ss::socket_address address;
    const unique_fd listener = tcp_listener(address);
    unique_fd client         = tcp_client(address);
    return {unique_fd(checked(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept4")), std::move(client)};
}

/// The descriptor belongs to the result.
inline ss::shared_socket adopt(const ss::segment& where, unique_fd descriptor)
{
    ss::shared_socket adopted = ss::shared_socket::adopt(where, descriptor.get());
    descriptor.release();
    return adopted;
}

} // namespace bench
