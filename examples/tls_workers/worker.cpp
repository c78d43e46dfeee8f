// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "worker.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <iostream>
#include <memory>
#include <string>

#include <unistd.h>

namespace tls_workers {
namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;

using tls_stream = asio::ssl::stream<ss::stream>;

asio::awaitable<void> serve(tls_stream connection)
{
    co_await connection.async_handshake(tls_stream::server, asio::use_awaitable);
    std::string unread;
    for (;;) {
        const std::size_t size =
            co_await asio::async_read_until(connection, asio::dynamic_buffer(unread, 4096), '\n', asio::use_awaitable);
        const std::string line = unread.substr(0, size);
        unread.erase(0, size);
        co_await asio::async_write(connection, asio::buffer(std::to_string(::getpid()) + ": " + line), asio::use_awaitable);
        if (line == "bye\n") break;
    }
    // A peer that closes without an answer to the farewell has closed all the same.
    static_cast<void>(co_await connection.async_shutdown(asio::as_tuple(asio::use_awaitable)));
}

asio::awaitable<void> accept_in_turn(ss::acceptor& acceptor, asio::ssl::context& context)
{
    const auto executor = co_await asio::this_coro::executor;
    for (;;) {
        ss::stream accepted = co_await acceptor.async_accept(asio::use_awaitable);
        asio::co_spawn(executor, serve(tls_stream(std::move(accepted), context)), [](std::exception_ptr failure) {
            try {
                if (failure) std::rethrow_exception(failure);
            } catch (const std::exception& broken) {
                std::cerr << "a connection ends: " << broken.what() << std::endl;
            }
        });
    }
}

} // namespace

int work(ss::shared_socket&& listener, const identity& self)
{
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.use_private_key(asio::buffer(self.key), asio::ssl::context::pem);
    context.use_certificate_chain(asio::buffer(self.certificate));
    asio::io_context io(1);
    ss::acceptor acceptor(io, std::move(listener), {.batch = 1}); // strictly one after the other
    asio::co_spawn(io, accept_in_turn(acceptor, context), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
    });
    io.run();
    return 0;
}

} // namespace tls_workers
