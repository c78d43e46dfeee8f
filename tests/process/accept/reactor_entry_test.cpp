// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An acceptor in turn on Asio's reactor.
#include "asio/reactor_entry.hpp"

#include "support/catch.hpp"
#include "support/turn_worker.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <optional>
#include <system_error>

#include <unistd.h>

namespace ss = sharedsock;
using boost::asio::posix::stream_descriptor;
using namespace std::chrono_literals;

namespace {

// Waits on the reactor for the acceptor's turn or alarm, which have the same data, until a connection is accepted.
int accept_one(boost::asio::io_context& context, stream_descriptor& listener, ss::turn_acceptor& acceptor)
{
    int connection = -1;
    while (connection < 0) {
        std::optional<ss::error_code> waited;
        listener.async_wait(stream_descriptor::wait_read, [&](const ss::error_code& ec) { waited = ec; });
        context.restart();
        context.run_for(test::patience);
        if (!waited || *waited) return -1;
        ss::error_code ec;
        connection = acceptor.accept_descriptor(ec);
        if (ec == std::errc::operation_would_block) acceptor.look(ec);
        if (ec) return -1;
    }
    return connection;
}

struct on_reactor {
    test::turn_listener listener;
    ss::turn_acceptor acceptor{ss::shared_socket::redeem(listener.home, listener.socket.duplicate(listener.home->self())),
                               {.patrol = 5ms}};
    boost::asio::io_context context;
    stream_descriptor waiter{context, acceptor.listener().native_handle()};
    ~on_reactor()
    {
        acceptor.leave();
        waiter.release(); // the descriptor is the acceptor's
    }
};

} // namespace

TEST_CASE_METHOD(on_reactor, "an acceptor in the epoll of Asio's reactor is woken there, again and again")
{
    const auto entry = ss::detail::take_reactor_entry(acceptor.listener().native_handle());
    REQUIRE(entry);
    acceptor.stand_by(entry->epoll, entry->data, entry->data);
    for (int i = 0; i < 3; ++i) {
        const test::caller one(listener.port);
        const int connection = accept_one(context, waiter, acceptor);
        CHECK(connection >= 0);
        ::close(connection);
    }
}

TEST_CASE_METHOD(on_reactor, "a connection goes to a later process while the reactor of the first does not wait")
{
    const auto entry = ss::detail::take_reactor_entry(acceptor.listener().native_handle());
    REQUIRE(entry);
    acceptor.stand_by(entry->epoll, entry->data, entry->data);
    const test::turn_worker other(listener, test::turn_manner::answers);
    CHECK(test::caller(listener.port).accepted_by() == other.pid());
}

TEST_CASE_METHOD(on_reactor, "a descriptor that two reactors wait for keeps its entry in both")
{
    boost::asio::io_context second;
    stream_descriptor also(second, acceptor.listener().native_handle());
    CHECK_FALSE(ss::detail::take_reactor_entry(acceptor.listener().native_handle()));
    also.release();
    CHECK(ss::detail::take_reactor_entry(acceptor.listener().native_handle()));
    CHECK_FALSE(ss::detail::take_reactor_entry(acceptor.listener().native_handle())); // the entry has been taken
}

TEST_CASE("the reader of fdinfo finds the data of one edge-triggered descriptor")
{
    using ss::detail::data_in;
    const char* const line = "tfd:        5 events: 8000201d data:     55d0c0de  pos:0 ino:b3 sdev:9\n";
    CHECK(data_in(line, 5) == 0x55d0'c0deu);
    CHECK_FALSE(data_in(line, 6));
    CHECK_FALSE(data_in("tfd:        5 events:       19 data:     55d0c0de  pos:0 ino:b3 sdev:9\n", 5)); // level-triggered
    CHECK_FALSE(data_in("pos:\t0\n", 5));
    CHECK_FALSE(data_in("", 5));
}
