// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The public calls on a socket whose lock is held by a stopped process; another attachment plays that process.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "base/ranked_mutex.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <chrono>
#include <optional>

#include <sys/socket.h>

namespace ss     = sharedsock;
namespace detail = sharedsock::detail;
using namespace std::chrono_literals;

namespace {

const ss::segment_options impatient{.sockets = 8, .processes = 4, .patience = 20ms};

struct scene {
    // The lock, until `go_on`.
    void stop()
    {
        locked.emplace(*elsewhere.attachment()->member(), pair.socket.impl()->socket().index, ec);
        detail::lock_ranks::released(detail::lock_rank::robust_lock); // the lock is the other process's, not this thread's
    }
    void go_on() { locked.reset(); }

    test::scratch_segment home{impatient};
    ss::segment elsewhere = ss::segment::open(home.name(), impatient);
    test::connection pair{home};
    ss::shared_socket others = ss::shared_socket::redeem(elsewhere, pair.socket.duplicate(elsewhere.self()));
    ss::event_object mine, its;
    ss::error_code ec;
    std::optional<detail::membership::slot_guard> locked;
};

} // namespace

TEST_CASE("a handle that stood by registers, and cancels, while a stopped process keeps the socket's lock", "[fault-11][REG-2]")
{
    scene s;
    s.others.event_select(s.its, ss::network_event::read);
    s.pair.socket.stand_by(s.mine, ss::network_event::read);
    s.stop();
    s.pair.socket.event_select(s.mine, ss::network_event::read, {}, s.ec);
    CHECK_FALSE(s.ec);
    REQUIRE(s.pair.socket.registration());
    CHECK(s.pair.socket.registration()->owner == s.home->self());
    s.go_on();
    CHECK_FALSE(s.pair.socket.handles().front().standing_by);
    CHECK_FALSE(s.pair.socket.handles().back().standing_by);

    s.others.event_select(s.its, ss::network_event::read);
    s.pair.socket.stand_by(s.mine, ss::network_event::read);
    s.stop();
    s.pair.socket.cancel_registration(s.ec);
    CHECK_FALSE(s.ec);
    s.go_on();
    CHECK_FALSE(s.pair.socket.registration());
}

TEST_CASE("a turn that its owner has not looked at is given up though a stopped process keeps the socket's lock", "[fault-11]")
{
    scene s;
    ss::event_object next;
    ss::segment third        = ss::segment::open(s.home.name(), impatient);
    ss::shared_socket thirds = ss::shared_socket::redeem(third, s.pair.socket.duplicate(third.self()));
    s.others.event_select(s.its, ss::network_event::read);
    {
        ss::event_object gone;
        s.pair.socket.stand_by(gone, ss::network_event::read);
        thirds.stand_by(next, ss::network_event::read);
        s.others.cancel_registration(); // it is this process's turn now, and it does not look
        s.stop();
    } // out of the standby queue for good
    s.go_on();
    REQUIRE(thirds.registration());
    CHECK(thirds.registration()->owner == third.self());
}

TEST_CASE("a handle that stands by anew keeps its place while a stopped process keeps the socket's lock", "[fault-11][REG-19]")
{
    scene s;
    s.others.event_select(s.its, ss::network_event::read);
    s.pair.socket.stand_by(s.mine, ss::network_event::read);
    s.stop();
    ss::event_object another;
    s.pair.socket.stand_by(another, ss::network_event::read, {}, s.ec);
    CHECK(s.ec == ss::errc::lock_timeout);
    s.go_on();
    s.pair.say("x");
    s.others.cancel_registration();
    CHECK(s.mine.wait(test::patience)); // the turn of `mine` has come, and its event object tells of the byte
    REQUIRE(s.pair.socket.registration());
    CHECK(s.pair.socket.registration()->owner == s.home->self());
    CHECK_FALSE(another.wait(0ns));
}

TEST_CASE("a close that found the socket locked is completed by a later call, though the process never serves", "[fault-11][G6]")
{
    scene s;
    s.stop();
    s.pair.socket.close(s.ec);
    s.go_on();
    CHECK(s.others.handles().size() == 2);
    ss::shared_socket another = ss::shared_socket::open(s.home, AF_INET, SOCK_STREAM); // another call of the process that closed
    CHECK(test::eventually([&] { return another.registration(), s.others.handles().size() == 1; }));
}
