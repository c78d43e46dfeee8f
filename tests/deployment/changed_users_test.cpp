// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Processes that attach and then change their user, groups or capabilities, as workers of a root master do.
#include "deployment/deployed_peer.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"
#include "support/share.hpp"
#include "support/skip.hpp"

#include <sharedsock/hand_over.hpp>
#include <sharedsock/sharedsock.hpp>

#include <csignal>
#include <string>

#include <unistd.h>

namespace ss = sharedsock;
using test::deployed_peer;

namespace {

std::string change()
{
    return GENERATE("become 65534", "become 65534 65533 65532", "effective 65534", "drop_capabilities", "enter_user_namespace");
}

// A descriptor of the handle h of `who`, for a hand-over or a ticket to it.
ss::process_id id_of(const ss::segment& segment, deployed_peer& who) { return segment.find_process(who.process().pid()).value(); }

void end(deployed_peer& who)
{
    who.process().kill(SIGKILL);
    REQUIRE(who.process().wait() == -SIGKILL);
}

// `to` gets the handle h of a stream from this process; the other end is `peer`.
void give(const test::connection& pair, deployed_peer& to)
{
    const ss::ticket ticket = pair.socket.duplicate(id_of(pair.socket.where(), to));
    REQUIRE(to.ask("redeem h " + ticket.to_text()) == "ok");
}

// False where the kernel refuses a user namespace: by a setting, a filter, or in a chroot. The case counts as skipped then.
bool changes(deployed_peer& who, const std::string& how)
{
    const std::string said = who.ask(how);
    if (how == "enter_user_namespace" && said.starts_with("error: unshare")) {
        test::skip("no user namespace: " + said);
        return false;
    }
    REQUIRE(said == "ok");
    return true;
}

} // namespace

TEST_CASE("a process that changes its credentials after attaching goes on with every call", "[fault-131]")
{
    if (test::skipped_without_root()) return;
    const std::string how = change();
    CAPTURE(how);
    test::scratch_segment segment;
    deployed_peer a(segment.name());
    REQUIRE(a.answer() == "ready");
    if (!changes(a, how)) return;
    deployed_peer b(segment.name()); // its doorbell and mailbox are made when A has no rights any more
    REQUIRE(b.answer() == "ready");
    test::connection pair(segment);
    give(pair, a);
    give(pair, b);

    SECTION("owning the events")
    {
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(a.ask("event_select h e read") == "ok");
        pair.say("x");
        CHECK(a.ask("wait e 10000") == "yes");
        CHECK(a.ask("enum h e") == "read");
        CHECK(a.ask("receive h 1") == "\"x\"");
    }
    SECTION("a take-over of which the loser is told")
    {
        REQUIRE(b.ask("event e") == "ok");
        REQUIRE(b.ask("event_select h e read tell") == "ok");
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(a.ask("event_select h e read") == "ok");
        CHECK(b.ask("wait e 10000") == "yes");
        CHECK(b.ask("enum h e").find("lost") != std::string::npos);
    }
    SECTION("standing by until the owner dies")
    {
        REQUIRE(b.ask("event e") == "ok");
        REQUIRE(b.ask("event_select h e read") == "ok");
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(a.ask("stand_by h e read") == "ok");
        pair.say("x");
        end(b);
        CHECK(a.ask("wait e 10000") == "yes");
        CHECK(a.ask("enum h e") == "read");
    }
    SECTION("its death as the owner while another process stands by")
    {
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(a.ask("event_select h e read") == "ok");
        REQUIRE(b.ask("event e") == "ok");
        REQUIRE(b.ask("stand_by h e read") == "ok");
        pair.say("x");
        end(a);
        CHECK(b.ask("wait e 10000") == "yes");
    }
    SECTION("tickets and hand-overs in both directions")
    {
        const test::connection more(segment);
        const ss::ticket ticket = more.socket.duplicate(id_of(segment, a));
        CHECK(a.ask("redeem g " + ticket.to_text()) == "ok");
        const std::string back = a.ask("duplicate g " + b.pid());
        CHECK(b.ask("redeem g " + back) == "ok");
        CHECK(a.ask("hand_over_unacknowledged g " + b.pid() + " 7 100000") == "ok");
        CHECK(b.ask("wait_hand_over k").find("tag=7 count=100000") == 0);
        CHECK(b.ask("hand_over_unacknowledged k " + a.pid() + " 8 1") == "ok");
        CHECK(a.ask("wait_hand_over k").find("tag=8 count=1") == 0);
        CHECK(a.ask("duplicate k " + b.pid() + " pid") != "");
    }
    SECTION("a published name that it serves")
    {
        REQUIRE(a.ask("listener l") != "");
        REQUIRE(a.ask("publish l web") == "ok");
        REQUIRE(b.ask("start t open_published l web") == "ok");
        while (b.ask("running t") == "yes")
            REQUIRE(a.ask("poll_segment") == "ok");
        CHECK(b.ask("join t") == "ok");
    }
    SECTION("a forked child that is attached and owns events")
    {
        REQUIRE(a.ask("event e") == "ok");
        CHECK(a.ask("in_fork is_open h") == "yes");
        CHECK(a.ask("in_fork event_select h e read") == "ok");
        CHECK(a.ask("in_fork stand_by h e read") == "ok");
        CHECK(a.ask("in_fork duplicate h " + b.pid()).find("error") == std::string::npos);
        CHECK(a.ask("in_fork hand_over_unacknowledged h " + b.pid() + " 9 1") == "ok");
        CHECK(b.ask("wait_hand_over f").find("tag=9") == 0);
    }
    SECTION("new sockets and a sweep")
    {
        for (int i = 0; i < 40; ++i) // more than one extent of records
            REQUIRE(a.ask("open s" + std::to_string(i) + " tcp") == "ok");
        end(b);
        CHECK(a.ask("sweep") == "1");
    }
}

TEST_CASE("processes that became the same other user after attaching reach each other, whichever way their credentials differ",
          "[fault-132]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment;
    deployed_peer a(segment.name());
    if (!changes(a, GENERATE("become 65534", "become 65533 65532", "enter_user_namespace"))) return;
    deployed_peer b(segment.name());
    REQUIRE(b.ask("become 65534") == "ok"); // not to be traced: no descriptor of it can be taken
    test::connection pair(segment);
    give(pair, a);
    CHECK(share(a, "h", b) == "ok");
    REQUIRE(a.ask("event e") == "ok");
    REQUIRE(a.ask("event_select h e read tell") == "ok");
    REQUIRE(b.ask("event e") == "ok");
    REQUIRE(b.ask("event_select h e read") == "ok");
    CHECK(a.ask("wait e 10000") == "yes");
    CHECK(b.ask("hand_over_unacknowledged h " + a.pid() + " 1 2") == "ok");
    CHECK(a.ask("wait_hand_over g").find("tag=1 count=2") == 0);
    CHECK(a.ask("hand_over_unacknowledged g " + b.pid() + " 3 4") == "ok");
    CHECK(b.ask("wait_hand_over g").find("tag=3 count=4") == 0);
}

TEST_CASE("a process that attaches in a user namespace shares sockets with others outside, that have its user or another one",
          "[fault-132]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment;
    deployed_peer a = deployed_peer::in_user_namespace(segment.name());
    if (a.answer() != "ready") {
        test::skip("no user namespace: " + a.answer());
        return;
    }
    deployed_peer b(segment.name());
    REQUIRE(b.ask(GENERATE("effective 0", "become 65534")) == "ok");
    test::connection pair(segment);
    give(pair, a);
    CHECK(share(a, "h", b) == "ok");
    CHECK(b.ask("hand_over_unacknowledged h " + a.pid() + " 1 2") == "ok");
    CHECK(a.ask("wait_hand_over g").find("tag=1 count=2") == 0);
    REQUIRE(a.ask("event e") == "ok");
    REQUIRE(a.ask("event_select g e read") == "ok");
    give(pair, b);
    REQUIRE(b.ask("event e") == "ok");
    REQUIRE(b.ask("stand_by h e read") == "ok");
    end(a);
    pair.say("x");
    CHECK(b.ask("wait e 10000") == "yes");
}

TEST_CASE("a process that has changed its user cannot open the segment anew, and is told what to set", "[fault-133]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment;
    deployed_peer stranger(segment.name(), {}, {test::nobody});
    CHECK(stranger.answer().find("segment::open") != std::string::npos);
    CHECK(stranger.answer().find("sharedsock.65534." + segment.name()) != std::string::npos);
    CHECK(stranger.answer().find("user 65534") != std::string::npos);
    CHECK(stranger.answer().find("segment_options::owner") != std::string::npos);

    ss::segment_options of_root;
    of_root.owner = 0;
    deployed_peer outsider(segment.name(), of_root, {test::nobody});
    CHECK(outsider.answer().find("openat /dev/shm/sharedsock.0." + segment.name()) != std::string::npos);
    CHECK(outsider.answer().find("user 65534, group 65534") != std::string::npos);
    CHECK(outsider.answer().find("segment_options::group") != std::string::npos);
}

TEST_CASE("the file and the user of a failure are in the text that describes it, and not in that of a later call", "[fault-133]")
{
    ss::error_code ec;
    const std::string name = test::unique_name();
    ss::segment::open(name, {}, ec);
    REQUIRE(ec == ss::errc::segment_not_found);
    CHECK(ss::describe_failure(ec).find(name) != std::string::npos);
    CHECK(ss::describe_failure(ss::errc::name_taken) == ss::error_code(ss::errc::name_taken).message());
    test::scratch_segment segment;
    ss::segment::open(name, {}, ec);
    try {
        ss::shared_socket::open_published(segment, "none");
        FAIL("opened");
    } catch (const ss::system_error& failure) {
        CHECK(std::string(failure.what()).find(name) == std::string::npos);
    }
}
