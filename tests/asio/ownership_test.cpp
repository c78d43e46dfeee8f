// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A pending operation is the socket's registration: the stream that has it, the stream that is told, and the bytes that are never
// consumed.
#include "asio/stream_peer.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/plain_socket.hpp"

#include <csignal>
#include <string>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace ss = sharedsock;

namespace {

struct scene {
    test::scratch_segment segment;
    test::connection pair{segment, AF_INET};
    test::stream_peer a{segment.name(), pair.socket};
    test::stream_peer b{segment.name(), pair.socket};
};

} // namespace

TEST_CASE("a pending operation registers, and another process's operation takes that over: the loser is told",
          "[asio][G1][G3][REG-2]")
{
    scene s;
    CHECK(s.a.answer("query") == "nobody");
    s.a.answer("read r1");
    CHECK(s.a.answer("query").find("kind=3") != std::string::npos);
    CHECK(s.a.answer("owns") == "yes");
    CHECK(s.a.answer("still_pending r1") == "yes");
    s.b.answer("read r2");
    CHECK(s.a.answer("end_of r1") == "registration_cancelled");
    CHECK(s.b.answer("owns") == "yes");
    s.pair.say("hello");
    CHECK(s.b.answer("end_of r2") == "\"hello\"");
}

TEST_CASE("a take-over reports bytes that are there already", "[asio][G4][REG-7]")
{
    scene s;
    s.a.answer("read r1");
    s.a.answer("busy");
    s.pair.say("waits");
    CHECK(s.b.answer("take_over") == "ok");
    s.b.answer("read r2");
    CHECK(s.b.answer("end_of r2") == "\"waits\"");
    s.a.answer("free"); // the reactor of A shows the bytes that were there: they belong to the new owner now
    CHECK(s.a.answer("end_of r1") == "registration_cancelled");
}

TEST_CASE("once a take-over has returned the old owner consumes nothing, though its reactor is shown everything", "[asio][G2]")
{
    scene s;
    s.a.answer("read r1");
    s.a.answer("busy");
    CHECK(s.b.answer("take_over") == "ok");
    s.pair.say("for b");
    s.a.answer("free");
    CHECK(s.a.answer("end_of r1") == "registration_cancelled");
    int waiting = 0;
    REQUIRE(::ioctl(s.pair.socket.native_handle(), FIONREAD, &waiting) == 0);
    CHECK(waiting == 5);
    s.b.answer("read r2");
    CHECK(s.b.answer("end_of r2") == "\"for b\"");
}

TEST_CASE("a loss while no operation is pending is told by the next operation, once", "[asio][G3]")
{
    scene s;
    CHECK(s.a.answer("take_over") == "ok");
    CHECK(s.b.answer("take_over") == "ok");
    CHECK(s.a.answer("owns") == "no");
    s.pair.say("x");
    s.a.answer("read r1");
    CHECK(s.a.answer("end_of r1") == "registration_cancelled");
    CHECK(s.b.answer("owns") == "yes"); // the first stream took nothing back
    s.a.answer("read r2");              // by now it was told
    CHECK(s.a.answer("end_of r2") == "\"x\"");
    CHECK(s.b.answer("owns") == "no");
}

TEST_CASE("reading and writing are one registration, and end together", "[asio][REG-4]")
{
    scene s;
    s.a.answer("read r1");
    s.a.answer("write w1 hi");
    CHECK(s.a.answer("end_of w1") == "ok");
    CHECK(s.a.answer("still_pending r1") == "yes"); // the write took nothing from the read of the same stream
    s.b.answer("write w2 ho");
    CHECK(s.b.answer("end_of w2") == "ok");
    CHECK(s.a.answer("end_of r1") == "registration_cancelled");
    char got[4];
    CHECK(::recv(s.pair.peer, got, 4, MSG_WAITALL) == 4);
    CHECK(std::string(got, 4) == "hiho");
}

TEST_CASE("cancellation by any process, and another kind of registration, are losses too", "[asio][REG-4][REG-5]")
{
    scene s;
    s.a.answer("read r1");
    CHECK(s.b.answer("cancel_registration") == "ok");
    CHECK(s.a.answer("end_of r1") == "registration_cancelled");
    s.a.answer("read r2");
    CHECK(s.b.answer("select_instead") == "ok");
    CHECK(s.a.answer("end_of r2") == "registration_cancelled");
    s.a.answer("read r3");
    s.a.answer("still_pending r3");
    CHECK(s.a.answer("select_instead") == "ok"); // through the very handle of the stream
    CHECK(s.a.answer("end_of r3") == "registration_cancelled");
}

TEST_CASE("close completes with operation_aborted, and the next in the standby queue owns the events", "[asio][REG-14]")
{
    scene s;
    s.a.answer("read r1");
    s.b.answer("stand_by t");
    CHECK(s.b.answer("still_pending t") == "yes");
    CHECK(s.a.answer("close") == "ok");
    CHECK(s.a.answer("end_of r1") == "operation_aborted");
    CHECK(s.b.answer("end_of t") == "ok");
    CHECK(s.b.answer("owns") == "yes");
}

TEST_CASE("a stream that stands by goes on when the owner is killed", "[asio][G7][REG-18]")
{
    scene s;
    s.a.answer("read r1");
    s.b.answer("stand_by t");
    s.pair.say("one");
    CHECK(s.a.answer("end_of r1") == "\"one\"");
    s.a.answer("read r2");
    s.a.process().kill(SIGKILL);
    CHECK(s.a.process().wait() == -SIGKILL);
    s.pair.say("two");
    CHECK(s.b.answer("end_of t") == "ok");
    s.b.answer("read r3");
    CHECK(s.b.answer("end_of r3") == "\"two\"");
}

TEST_CASE("a turn passes to and fro between streams, and no byte is lost", "[asio]")
{
    scene s;
    CHECK(s.a.answer("take_over") == "ok");
    CHECK(s.a.answer("pass_on") == "no"); // no stream stands by
    s.b.answer("stand_by t");
    CHECK(s.a.answer("pass_on") == "yes");
    CHECK(s.b.answer("end_of t") == "ok");
    s.a.answer("stand_by t2");
    CHECK(s.b.answer("pass_on") == "yes");
    CHECK(s.a.answer("end_of t2") == "ok");
    s.pair.say("turn");
    s.a.answer("read r");
    CHECK(s.a.answer("end_of r") == "\"turn\"");
}

TEST_CASE("a read that is pending goes on when pass_on finds no successor, and so do all later ones", "[asio][fault-90]")
{
    scene s;
    s.a.answer("read r1");
    CHECK(s.a.answer("still_pending r1") == "yes");
    CHECK(s.a.answer("pass_on") == "no");
    CHECK(s.a.answer("owns") == "yes");
    CHECK(s.a.answer("still_pending r1") == "yes");
    s.pair.say("one");
    CHECK(s.a.answer("end_of r1") == "\"one\"");
    s.a.answer("read r2");
    CHECK(s.a.answer("still_pending r2") == "yes");
    s.pair.say("two");
    CHECK(s.a.answer("end_of r2") == "\"two\"");
    s.a.answer("read r3");
    s.b.answer("stand_by t");
    CHECK(s.a.answer("pass_on") == "yes"); // now a stream stands by
    CHECK(s.a.answer("end_of r3") == "registration_cancelled");
    CHECK(s.b.answer("end_of t") == "ok");
}

TEST_CASE("a stopped owner does not keep the stream", "[asio][G2]")
{
    scene s;
    s.a.answer("read r1");
    s.a.process().stop();
    s.b.answer("read r2");
    s.pair.say("hello");
    CHECK(s.b.answer("end_of r2") == "\"hello\"");
    s.a.process().resume();
    CHECK(s.a.answer("end_of r1") == "registration_cancelled");
}

TEST_CASE("a forked child's copy of a stream has lost it, and its parent's goes on", "[asio][DUP-17][G11]")
{
    scene s;
    s.a.answer("read r1");
    CHECK(s.a.answer("still_pending r1") == "yes");
    CHECK(s.a.answer("in_fork_read") == "registration_cancelled");
    s.pair.say("parent");
    CHECK(s.a.answer("end_of r1") == "\"parent\"");
}

TEST_CASE("a listener's acceptors take over from each other, and no connection is lost", "[asio][G4]")
{
    test::scratch_segment segment;
    const auto listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    test::stream_peer a(segment.name(), listener, "redeem_listener");
    test::stream_peer b(segment.name(), listener, "redeem_listener");
    a.answer("accept c1");
    auto first = test::plain_socket::connect(listener.local_address().port());
    CHECK(a.answer("end_of c1") == "ok");
    a.answer("accept c2");
    a.answer("busy");
    auto second = test::plain_socket::connect(listener.local_address().port());
    b.answer("accept c3");
    CHECK(b.answer("end_of c3") == "ok"); // connections that came while it was a's turn
    a.answer("free");
    CHECK(a.answer("end_of c2") == "registration_cancelled");
    second.send("hi");
    b.answer("read r");
    CHECK(b.answer("end_of r") == "\"hi\"");
}
