// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio.hpp>

#include <sys/socket.h>

namespace test {

/// Two streams on one executor that are the two ends of one TCP connection over the loopback interface.
struct stream_pair {
    template <class Context>
    stream_pair(Context& context, const sharedsock::segment& where)
        : server(context.get_executor()), client(context, sharedsock::shared_socket::open(where, AF_INET, SOCK_STREAM))
    {
        sharedsock::acceptor acceptor(context, sharedsock::shared_socket::listen(where, sharedsock::socket_address::loopback(0)));
        client.connect(acceptor.socket().local_address());
        server = acceptor.accept();
    }

    sharedsock::stream server;
    sharedsock::stream client;
};

} // namespace test
