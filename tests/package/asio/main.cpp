// A user's program with the Asio part: it accepts, reads and writes in one context, and hears an event there. The tests of
// package/ and of builds.sh compile it with other Boosts and switches than the library. It ends with 0 only if each step has
// happened; the alarm ends it if one never does.
#include <sharedsock/asio.hpp>
#include <sharedsock/sharedsock.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;

constexpr int rounds = 200;

// Sends back what it reads, until the end of the connection.
struct echo : std::enable_shared_from_this<echo> {
    explicit echo(ss::stream connection) : stream(std::move(connection)) {}

    void read()
    {
        stream.async_read_some(asio::buffer(data), [self = shared_from_this()](ss::error_code ec, std::size_t n) {
            if (ec == asio::error::eof) self->ended = true;
            if (!ec) self->write(n);
        });
    }
    void write(std::size_t n)
    {
        asio::async_write(stream, asio::buffer(data.data(), n), [self = shared_from_this()](ss::error_code ec, std::size_t) {
            if (!ec) self->read();
        });
    }

    ss::stream stream;
    std::array<char, 64> data{};
    bool ended = false;
};

// Waits a moment before each round, so the read at the other side waits in the reactor.
struct client {
    client(asio::io_context& io, ss::shared_socket&& socket) : stream(io, std::move(socket)), timer(io) {}

    void round()
    {
        timer.expires_after(std::chrono::microseconds(50));
        timer.async_wait([this](ss::error_code) {
            asio::async_write(stream, asio::buffer("ping", 4), [this](ss::error_code ec, std::size_t) {
                if (ec) return fail(ec);
                asio::async_read(stream, asio::buffer(answer), [this](ss::error_code failed, std::size_t n) {
                    if (failed) return fail(failed);
                    if (n != answer.size()) return;
                    if (++done < rounds) return round();
                    stream.close();
                });
            });
        });
    }
    void fail(const ss::error_code& ec)
    {
        std::cerr << "client: " << ec.message() << '\n';
        failed = true;
    }

    ss::stream stream;
    asio::steady_timer timer;
    std::array<char, 4> answer{};
    int done    = 0;
    bool failed = false;
};

int check(bool stream, bool ended, bool heard)
{
    if (!stream) std::cerr << "the stream has not carried every round\n";
    if (!ended) std::cerr << "the end of the connection was not seen\n";
    if (!heard) std::cerr << "the event was not heard\n";
    return stream && ended && heard ? 0 : 1;
}

} // namespace

int main()
{
    ::alarm(30);
    asio::io_context io;
    const auto segment       = ss::segment::create_unnamed();
    auto listener            = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    auto watched             = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    const auto address       = listener.local_address();
    const auto other_address = watched.local_address();
    const auto serving       = ss::serve(segment, io.get_executor());

    std::shared_ptr<echo> server;
    ss::acceptor acceptor(io, std::move(listener));
    acceptor.async_accept([&](ss::error_code ec, ss::stream connection) {
        if (ec) return;
        server = std::make_shared<echo>(std::move(connection));
        server->read();
    });

    client caller(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
    caller.stream.async_connect(address, [&](ss::error_code ec) {
        if (ec) return caller.fail(ec);
        caller.round();
    });

    std::optional<ss::shared_socket> accepted;
    asio::executor_work_guard<asio::io_context::executor_type> until_heard(io.get_executor());
    ss::async_select(
        watched, io.get_executor(),
        [&](const ss::event_message& message) {
            if (message.event == ss::network_event::accept) accepted = watched.accept();
            until_heard.reset();
        },
        ss::network_event::accept);
    ss::stream knock(io, ss::shared_socket::open(segment, AF_INET, SOCK_STREAM));
    knock.async_connect(other_address, [](ss::error_code) {});

    io.run();
    const bool carried = !caller.failed && caller.done == rounds;
    const int result   = check(carried, server != nullptr && server->ended, accepted.has_value());
    std::cout << (result == 0 ? "ok\n" : "not ok\n");
    return result;
}
