// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A session that survives its server. A client sends numbered lines over one connection, and each is answered with its number
// and the sum of all so far. Three processes hold the connection: one serves, two stand by. Again and again the serving process
// is killed in the middle of its work; the client must not notice. survivor/serve.cpp explains how.
#include "support/child.hpp"
#include "support/own_segment.hpp"
#include "survivor/client.hpp"
#include "survivor/kernel_count.hpp"
#include "survivor/serve.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <iostream>
#include <new>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;
using survivor::session;

constexpr std::uint64_t lines       = 20'000;
constexpr std::uint64_t kills       = 40;
constexpr std::size_t process_count = 3;

/// Memory that this process shares with its children.
session& shared_session()
{
    void* const place = ::mmap(nullptr, sizeof(session), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    return *new (place) session;
}

play::child start_server(ss::shared_socket& connection, session& progress)
{
    return play::child([&] {
        asio::io_context io(1);
        ss::stream stream(io, std::move(connection));
        std::exception_ptr failure;
        asio::co_spawn(io, survivor::serve_in_turn(stream, progress), [&](std::exception_ptr thrown) {
            failure = thrown;
            if (failure) return;
            ss::error_code ec; // the client has ended, and so does each server: the first may die before it has done so
            stream.socket().shutdown(SHUT_WR, ec);
            if (ec && ec != asio::error::not_connected) failure = std::make_exception_ptr(ss::system_error(ec, "shutdown"));
        });
        io.run();
        if (failure) std::rethrow_exception(failure);
        return 0;
    });
}

/// The process that serves at this moment. Waits until there is one: this process may be the only one that knows of a death.
std::vector<play::child>::iterator who_serves(const ss::shared_socket& connection, std::vector<play::child>& servers)
{
    for (;;) {
        const auto registered = connection.registration();
        if (registered)
            for (const ss::process_info& each : connection.where().processes())
                if (each.id == registered->owner)
                    for (auto one = servers.begin(); one != servers.end(); ++one)
                        if (one->pid() == each.pid) return one;
        ::sched_yield();
    }
}

void run(const ss::segment& segment)
{
    session& progress = shared_session();
    auto listener     = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    survivor::client client(listener.local_address());
    auto connection = listener.accept();
    listener.close();
    connection.set_option(asio::ip::tcp::no_delay(true));
    progress.begin({.answer_at = survivor::written_bytes(connection.native_handle())});

    std::vector<play::child> servers;
    for (std::size_t i = 0; i < process_count; ++i)
        servers.push_back(start_server(connection, progress));
    for (std::uint64_t killed = 0; killed < kills; ++killed) {
        client.converse((killed + 1) * lines / (kills + 1), lines);
        const auto owner = who_serves(connection, servers);
        if (killed % 4 == 0) {
            owner->end(SIGKILL); // wherever it is
        } else {
            progress.fatal = static_cast<survivor::moment>(killed % 4);
            client.converse(client.answered() + 100, lines); // by then it has happened, and another server goes on
            play::require(owner->wait() == -SIGKILL, "a server dies where it is told to");
        }
        *owner = start_server(connection, progress);
    }
    client.converse(lines, lines);
    client.end();
    for (play::child& one : servers)
        play::require(one.wait() == 0, "all servers end well with the session");
    play::require(progress.takers >= kills + 1, "each of the killed had the session");
    play::require(progress.unanswered >= kills / 2 && progress.unconsumed >= kills / 4, "the dead left work half done");
    std::cout << "of the dead, " << progress.unanswered << " had begun with a line and not answered it, " << progress.unconsumed
              << " had answered it and not read it\n"
              << lines << " lines, " << lines << " answers over one connection; " << kills << " servers were killed" << std::endl;
}

} // namespace

int main()
try {
    const play::own_segment segment(play::name_of("survivor"));
    run(segment.here);
    return 0;
} catch (const std::exception& failure) {
    std::cerr << "survivor: " << failure.what() << std::endl;
    return 1;
}
