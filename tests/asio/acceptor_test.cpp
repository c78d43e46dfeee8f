// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Acceptors of several processes that accept in turn from one listener, on Asio.
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace asio = boost::asio;
namespace ss   = sharedsock;

namespace {

// Tells each client which process serves it. "end": the error that ended the loop.
asio::awaitable<void> tell_who(ss::acceptor& acceptor, test::role_context& role)
{
    for (;;) {
        auto [ec, stream] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
        if (ec) {
            role.say("end " + std::string(ec == ss::errc::registration_cancelled ? "registration_cancelled" : ec.message()));
            co_return;
        }
        co_await asio::async_write(stream, asio::buffer(std::to_string(::getpid()) + "\n"), asio::use_awaitable);
    }
}

} // namespace

SHAREDSOCK_CHILD_ROLE(acceptor_in_turn)
{
    const auto segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    const auto ticket = role.hear();
    asio::io_context io(1);
    const auto work = asio::make_work_guard(io);
    ss::acceptor acceptor(io, ss::shared_socket::redeem(segment, ss::ticket::from_text(ticket.value())));
    asio::co_spawn(io, tell_who(acceptor, role), asio::detached);
    io.poll(); // now it is in the accept queue
    role.say("in line");
    io.run();
    return 0;
}

namespace {

struct crew {
    test::scratch_segment segment;
    ss::shared_socket listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    std::vector<std::unique_ptr<test::child_process>> workers;

    crew()
    {
        for (int i = 0; i < 3; ++i) {
            auto one = std::make_unique<test::child_process>("acceptor_in_turn", std::vector{segment.name()});
            one->wait_for("ready");
            one->tell(listener.duplicate_for_pid(one->pid()).to_text());
            one->wait_for("in line");
            workers.push_back(std::move(one));
        }
    }
    pid_t served_by() const
    {
        auto client = test::plain_socket::connect(listener.local_address().port());
        std::string pid;
        for (std::string byte; (byte = client.receive(1)) != "\n" && !byte.empty();)
            pid += byte;
        return pid.empty() ? -1 : std::stoi(pid);
    }
};

// User and system time of a process, in ticks of the clock.
long ticks_of(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i)
        fields >> skipped;
    long user = 0, system = 0;
    fields >> user >> system;
    return user + system;
}

} // namespace

TEST_CASE("connections that come one by one go round among the acceptors, and all have many", "[asio]")
{
    crew all;
    std::map<pid_t, int> served;
    const auto all_have_many = [&] {
        return served.size() == 3 && std::all_of(served.begin(), served.end(), [](const auto& one) { return one.second >= 8; });
    };
    // On an idle machine a few rounds suffice. An acceptor that gets no processor is passed over while others wait in the
    // queue, so a busy machine takes more. Without the queue the same acceptor has all of them.
    for (int i = 0; i < 2'000 && !all_have_many(); ++i)
        ++served[all.served_by()];
    CHECK(all_have_many());
}

TEST_CASE("an acceptor that dies or stands still is passed over", "[asio][G7]")
{
    crew all;
    for (int i = 0; i < 4; ++i)
        CHECK(all.served_by() > 0);
    all.workers[0]->kill(SIGKILL);
    CHECK(all.workers[0]->wait() == -SIGKILL);
    all.workers[1]->stop();
    for (int i = 0; i < 20; ++i)
        CHECK(all.served_by() == all.workers[2]->pid());
    all.workers[1]->resume();
    std::map<pid_t, int> served;
    for (int i = 0; i < 32; ++i)
        ++served[all.served_by()];
    CHECK(served.size() == 2);
}

TEST_CASE("idle acceptors sleep", "[asio]")
{
    crew all;
    for (int i = 0; i < 10; ++i)
        all.served_by();
    long before = 0, after = 0;
    for (const auto& one : all.workers)
        before += ticks_of(one->pid());
    ::poll(nullptr, 0, 1500); // the patrol passes in it
    for (const auto& one : all.workers)
        after += ticks_of(one->pid());
    CHECK(after - before < ::sysconf(_SC_CLK_TCK) / 2); // an acceptor that spins takes three times as much
}

TEST_CASE("a registration for the listener's events ends accepting in turn", "[asio][G1]")
{
    crew all;
    CHECK(all.served_by() > 0);
    ss::event_object ready;
    all.listener.event_select(ready, ss::network_event::accept);
    auto client = test::plain_socket::connect(all.listener.local_address().port());
    CHECK(ready.wait(test::patience));
    // The process that is woken for the connection is told, and leaves it to the owner of the events.
    ss::error_code ec;
    CHECK(all.listener.accept(ec).is_open());
    CHECK_FALSE(ec);
}

TEST_CASE("an acceptor without a pending accept is out of the accept queue, and in it again with the next accept", "[asio]")
{
    test::scratch_segment segment;
    asio::io_context io(1);
    ss::acceptor acceptor(io, ss::shared_socket::listen(segment, ss::socket_address::loopback(0)));
    const auto in_line = [&] { return acceptor.socket().handles().at(0).accepts_in_turn; };
    CHECK_FALSE(in_line());
    int accepted = 0;
    acceptor.async_accept([&](ss::error_code ec, ss::stream) { accepted += !ec; });
    CHECK(in_line());
    auto first = test::plain_socket::connect(acceptor.socket().local_address().port());
    io.run();
    CHECK(accepted == 1);
    CHECK_FALSE(in_line());
    auto second = test::plain_socket::connect(acceptor.socket().local_address().port());
    io.restart();
    acceptor.async_accept([&](ss::error_code ec, ss::stream) { accepted += !ec; });
    io.run();
    CHECK(accepted == 2);
    acceptor.async_accept([&](ss::error_code ec, ss::stream) { accepted += ec == asio::error::operation_aborted ? 10 : 100; });
    acceptor.cancel();
    io.restart();
    io.run();
    CHECK(accepted == 12);
    CHECK_FALSE(in_line());
    ss::error_code ec;
    acceptor.take_over(ec);
    CHECK(ec == asio::error::operation_not_supported);
}
