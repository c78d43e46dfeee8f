// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// One acceptor: its place in an epoll, its errors, and what a registration and a fork mean to it.
#include "support/catch.hpp"
#include "support/turn_worker.hpp"

#include <chrono>
#include <cstdint>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

enum : std::uint64_t { ready = 1, alarm_rang = 2 };

class loop {
public:
    loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
    ~loop() { ::close(epoll_); }
    int epoll() const noexcept { return epoll_; }
    /// The tag that the acceptor reports within the test's patience; 0 for none.
    std::uint64_t next() const { return wait(test::deadline().left_ms()); }
    std::uint64_t now() const { return wait(0); }

private:
    std::uint64_t wait(int limit) const
    {
        epoll_event event{};
        return ::epoll_wait(epoll_, &event, 1, limit) == 1 ? event.data.u64 : 0;
    }
    const int epoll_;
};

struct fixture {
    test::turn_listener listener;
    loop here;
    ss::shared_socket second_handle()
    {
        return ss::shared_socket::redeem(listener.home, listener.socket.duplicate(listener.home->self()));
    }
};

// As many descriptors as are open, and no more.
class no_descriptors_left {
public:
    no_descriptors_left()
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int next = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
        ::close(next);
        const rlimit none{static_cast<rlim_t>(next), before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~no_descriptors_left() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

} // namespace

TEST_CASE_METHOD(fixture, "an acceptor in the accept queue reports a connection, and accepts it")
{
    ss::turn_acceptor acceptor(second_handle());
    acceptor.stand_by(here.epoll(), ready, alarm_rang);
    CHECK(acceptor.stands_by());
    CHECK(here.now() == 0);
    test::caller one(listener.port);
    REQUIRE(here.next() == ready);
    const int connection = acceptor.accept_descriptor();
    CHECK((::fcntl(connection, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(connection, F_GETFD) & FD_CLOEXEC) != 0);
    ::close(connection);
    CHECK(here.now() == 0);
    ss::error_code ec;
    CHECK(acceptor.accept_descriptor(ec) == -1);
    CHECK(ec == std::errc::operation_would_block);
}

TEST_CASE_METHOD(fixture, "an acceptor in the accept queue makes the listener non-blocking for all, and each accepted connection")
{
    ss::shared_socket other = second_handle();
    ss::turn_acceptor acceptor(second_handle());
    REQUIRE(other.blocking());
    acceptor.stand_by(here.epoll(), ready, alarm_rang);
    CHECK_FALSE(other.blocking());
    test::caller one(listener.port);
    REQUIRE(here.next() == ready);
    CHECK_FALSE(acceptor.accept().blocking());
    ss::error_code ec;
    other.accept(ec);
    CHECK(ec == std::errc::operation_would_block);
}

TEST_CASE_METHOD(fixture, "a turn acceptor's accept makes a shared socket of the listener's segment")
{
    ss::turn_acceptor acceptor(second_handle());
    test::caller one(listener.port);
    const ss::shared_socket connection = acceptor.accept(); // in the accept queue or not
    CHECK(connection.handles().size() == 1);
    CHECK(connection.where().self() == listener.home->self());
}

TEST_CASE_METHOD(fixture, "an acceptor that has left reports nothing, and the connection is there for the next accept")
{
    ss::turn_acceptor acceptor(second_handle());
    acceptor.stand_by(here.epoll(), ready, alarm_rang);
    acceptor.leave();
    acceptor.leave();
    CHECK_FALSE(acceptor.stands_by());
    test::caller one(listener.port);
    CHECK(here.now() == 0);
    ::close(acceptor.accept_descriptor());
}

TEST_CASE_METHOD(fixture, "the end of an acceptor takes it out of an epoll that lives on")
{
    {
        ss::turn_acceptor acceptor(second_handle()), other;
        acceptor.stand_by(here.epoll(), ready, alarm_rang);
        other = std::move(acceptor);
        CHECK(other.stands_by());
    }
    test::caller one(listener.port);
    CHECK(here.now() == 0);
}

TEST_CASE_METHOD(fixture, "an acceptor that is alone never leaves its place")
{
    ss::turn_acceptor acceptor(second_handle(), {.batch = 1});
    acceptor.stand_by(here.epoll(), ready, alarm_rang);
    CHECK(acceptor.others() == 0);
    for (int i = 0; i < 5; ++i) {
        test::caller one(listener.port);
        REQUIRE(here.next() == ready);
        ::close(acceptor.accept_descriptor());
    }
    CHECK(acceptor.turns() == 0);
}

TEST_CASE_METHOD(fixture, "an acceptor sees other acceptors come and go")
{
    ss::turn_acceptor acceptor(second_handle(), {.batch = 1, .patrol = 0ms});
    acceptor.stand_by(here.epoll(), ready, alarm_rang);
    {
        test::turn_worker other(listener, test::turn_manner::waits);
        CHECK(acceptor.others() == 1);
        test::caller one(listener.port);
        REQUIRE(here.next() == ready);
        ::close(acceptor.accept_descriptor());
        CHECK(acceptor.turns() == 1);
        ss::error_code ec;
        acceptor.look(ec); // the acceptor watches for the other's death from here on
        CHECK_FALSE(ec);
    }
    REQUIRE(here.next() == alarm_rang);
    ss::error_code ec;
    acceptor.look(ec);
    CHECK_FALSE(ec);
    CHECK(acceptor.others() == 0);
    CHECK(here.now() == 0);
}

TEST_CASE_METHOD(fixture, "a registration by any process wins over acceptors, which return when it has ended", "[REG-2]")
{
    ss::turn_acceptor acceptor(second_handle());
    acceptor.stand_by(here.epoll(), ready, alarm_rang);
    ss::event_object object;
    listener.socket.event_select(object, ss::network_event::accept);
    test::caller one(listener.port);
    REQUIRE(here.next() == ready);
    ss::error_code ec;
    CHECK(acceptor.accept_descriptor(ec) == -1);
    CHECK(ec == ss::errc::registration_cancelled);
    CHECK_FALSE(acceptor.stands_by());
    CHECK(here.now() == 0); // does not spin
    acceptor.stand_by(here.epoll(), ready, alarm_rang, ec);
    CHECK(ec == ss::errc::registration_cancelled);
    CHECK(object.wait(test::patience));

    listener.socket.cancel_registration();
    acceptor.stand_by(here.epoll(), ready, alarm_rang, ec);
    CHECK_FALSE(ec);
    REQUIRE(here.next() == ready);
    ::close(acceptor.accept_descriptor());
}

TEST_CASE_METHOD(fixture, "an acceptor without descriptors leaves the accept queue until the next look", "[ERR-6]")
{
    ss::turn_acceptor acceptor(second_handle());
    acceptor.stand_by(here.epoll(), ready, alarm_rang);
    test::caller one(listener.port);
    REQUIRE(here.next() == ready);
    ss::error_code ec;
    {
        const no_descriptors_left now;
        CHECK(acceptor.accept_descriptor(ec) == -1);
    }
    CHECK(ec == std::errc::too_many_files_open);
    CHECK(here.now() == 0);
    acceptor.look(ec);
    REQUIRE(here.next() == ready);
    ::close(acceptor.accept_descriptor());
}

TEST_CASE_METHOD(fixture, "an acceptor without a listener fails and does nothing else")
{
    ss::turn_acceptor none;
    ss::error_code ec;
    CHECK(none.accept_descriptor(ec) == -1);
    CHECK(ec == ss::errc::closed_handle);
    none.stand_by(here.epoll(), ready, alarm_rang, ec);
    CHECK(ec == ss::errc::closed_handle);
    CHECK_THROWS_AS(none.accept(), ss::system_error);
    CHECK_FALSE(none.stands_by());
    CHECK(none.others() == 0);
}

// Forks, and says what the copy of its acceptor does and what the original does after it.
SHAREDSOCK_CHILD_ROLE(forks in line)
{
    fixture f;
    ss::turn_acceptor acceptor(f.second_handle(), {.patrol = 0ms});
    acceptor.stand_by(f.here.epoll(), ready, alarm_rang);
    test::caller one(f.listener.port);
    const pid_t child = ::fork();
    if (child == 0) {
        ss::error_code ec;
        const bool refused = acceptor.accept_descriptor(ec) == -1 && ec == ss::errc::not_attached;
        acceptor           = {}; // must not touch the epoll, which is its parent's too
        ::_exit(refused ? 0 : 1);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child || status != 0) role.say("the child accepted");
    while (f.here.next() == alarm_rang) { // the child's death
        ss::error_code ec;
        acceptor.look(ec);
    }
    const int connection = acceptor.accept_descriptor();
    role.say(connection >= 0 ? "accepted" : "lost");
    return 0;
}

TEST_CASE("a forked child's copy of an acceptor is not in the accept queue, and does not take its parent out of it", "[DUP-17]")
{
    test::child_process parent("forks in line");
    CHECK(parent.line() == "accepted");
    CHECK(parent.wait() == 0);
}
