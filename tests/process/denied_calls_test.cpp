// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Processes whose system calls are filtered, or whose descriptor table is full: each call says what it could not get.
#include "process/shared_stream.hpp"
#include "support/network_verbs.hpp"

#include <sharedsock/hand_over.hpp>
#include <sharedsock/prefork.hpp>

#include <string>
#include <utility>

namespace ss = sharedsock;
using test::redeem;
using test::served_by;
using test::shared_stream;

namespace {

constexpr const char* denied = "error: permission_denied, mailbox_denied";

struct a_receiver {
    void hand_over() { ss::hand_over_unacknowledged(std::move(s.socket), id_of(segment, receiver)); }

    test::scratch_segment segment;
    test::peer receiver{segment.name()};
    shared_stream s{segment};
};

} // namespace

TEST_CASE("hand-overs and tickets arrive where accept4 is denied", "[fault-108]")
{
    a_receiver here;
    REQUIRE(here.receiver.ask(std::string("deny accept4 ") + GENERATE("EPERM", "ENOSYS")) == "ok");
    shared_stream other(here.segment);
    const ss::ticket ticket = other.ticket_for(here.receiver);
    CHECK(redeem(here.receiver, ticket, "g") == "ok");
    here.hand_over();
    CHECK(here.receiver.ask("wait_hand_over h").find("tag=0") == 0);
    CHECK(talk(here.receiver, here.s.x));
}

TEST_CASE("a receiver to which accept and accept4 are denied is told so by each call that reads the mailbox", "[fault-108]")
{
    a_receiver here;
    const std::string error = GENERATE("EPERM", "ENOSYS");
    REQUIRE(here.receiver.ask("deny accept4 " + error) == "ok");
    REQUIRE(here.receiver.ask("deny accept " + error) == "ok");
    shared_stream other(here.segment);
    const ss::ticket ticket = other.ticket_for(here.receiver);
    CHECK(here.receiver.ask("message").find("accept4") == std::string::npos);
    here.hand_over();
    CHECK(here.receiver.ask("receive_hand_over h") == denied);
    CHECK(here.receiver.ask("message").find("accept4") != std::string::npos);
    CHECK(redeem(here.receiver, ticket) == denied);
    CHECK(here.receiver.ask("poll_segment") == denied);
}

TEST_CASE("a receiver without a free descriptor is told so by each call that reads the mailbox, and gets the message later",
          "[DUP-9][fault-108]")
{
    a_receiver here;
    shared_stream other(here.segment);
    const ss::ticket ticket = other.ticket_for(here.receiver);
    here.hand_over();
    REQUIRE(here.receiver.ask("limit_descriptors 0") == "ok");
    CHECK(here.receiver.ask("receive_hand_over h") == "error: too_many_files_open");
    CHECK(redeem(here.receiver, ticket, "g") == "error: too_many_files_open");
    CHECK(here.receiver.ask("poll_segment") == "error: too_many_files_open");
    REQUIRE(here.receiver.ask("limit_descriptors off") == "ok");
    CHECK(here.receiver.ask("receive_hand_over h").find("tag=0") == 0);
    CHECK(redeem(here.receiver, ticket, "g") == "ok");
}

TEST_CASE("a published socket is opened by message where pidfds are denied", "[fault-103]")
{
    test::scratch_segment segment;
    test::peer asker(segment.name());
    shared_stream s(segment);
    segment->publish("s", s.socket);
    REQUIRE(asker.ask(std::string("deny ") + GENERATE("pidfd_open", "pidfd_getfd") + GENERATE(" EPERM", " ENOSYS")) == "ok");
    CHECK(served_by(*segment, asker, "open_published h s") == "ok");
    CHECK(talk(asker, s.x));
}

TEST_CASE("a ticket by pid is made and redeemed where pidfds are denied", "[DUP-3][fault-103]")
{
    test::scratch_segment segment;
    test::newcomer target(segment.name());
    shared_stream s(segment);
    REQUIRE(target.peer.ask(std::string("deny ") + GENERATE("pidfd_open", "pidfd_getfd") + GENERATE(" EPERM", " ENOSYS")) == "ok");
    const ss::ticket ticket = s.socket.duplicate_for_pid(target.pid());
    CHECK(served_by(*segment, target.attach(), "redeem h " + ticket.to_text()) == "ok");
    CHECK(talk(target.peer, s.x));
}

SHAREDSOCK_CHILD_ROLE("supervises where pidfd_open is denied")
{
    test::role_context::handlers verbs;
    test::add_network_verbs(verbs);
    verbs.at("deny")("pidfd_open " + role.args.at(0));
    try {
        ss::prefork::supervisor workers({.workers = 1}, [](ss::prefork::worker&) { return 0; });
        workers.run();
        role.say("runs");
    } catch (const ss::system_error& failure) {
        role.say(failure.what());
    }
    return 0;
}

TEST_CASE("a supervisor that may not open pidfds says so at once", "[fault-103]")
{
    const std::string error = GENERATE("EPERM", "ENOSYS");
    test::child_process child("supervises where pidfd_open is denied", {error});
    const std::string said = child.line();
    CHECK(said.find("pidfd_open") != std::string::npos);
    CHECK(child.wait() == 0);
}
