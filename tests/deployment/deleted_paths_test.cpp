// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The name and the files of a segment go while processes are attached: by remove with force, or deleted by systemd's RemoveIPC,
// a cleaner of temporary files, or a person.
#include "deployment/deployed_peer.hpp"
#include "support/catch.hpp"
#include "support/deadline.hpp"
#include "support/scratch_segment.hpp"
#include "support/share.hpp"

#include <sharedsock/hand_over.hpp>
#include <sharedsock/sharedsock.hpp>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;
namespace fs = std::filesystem;
using test::deployed_peer;

namespace {

// A segment below a directory of its own, and processes that have attached.
struct a_service {
    test::scratch_directory home;
    ss::segment_options options = in(home.path());
    const std::string name      = test::unique_name();
    ss::segment segment         = ss::segment::create(name, options);
    deployed_peer a{name, options};
    deployed_peer b{name, options};
    test::connection pair{segment};

    static ss::segment_options in(const fs::path& directory)
    {
        ss::segment_options made{.sockets = 64, .processes = 16};
        made.directory = directory;
        return made;
    }
    a_service()
    {
        for (deployed_peer* one : {&a, &b}) {
            REQUIRE(one->answer() == "ready");
            REQUIRE(one->ask("redeem h " + ticket_for(*one)) == "ok");
            REQUIRE(one->ask("event e") == "ok");
        }
    }
    std::string ticket_for(deployed_peer& who)
    {
        return pair.socket.duplicate(segment.find_process(who.process().pid()).value()).to_text();
    }
    fs::path directory() const { return home.path() / ("sharedsock." + std::to_string(::geteuid()) + "." + name); }
    std::size_t entries() const
    {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(home.path()), fs::directory_iterator()));
    }
    void lose(const std::string& how)
    {
        if (how == "removed by force")
            REQUIRE(ss::segment::remove(name, options, true));
        else if (how == "all deleted")
            REQUIRE(fs::remove_all(directory()) > 0);
        else if (how == "the files of the ways deleted")
            for (const auto& one : fs::directory_iterator(directory() / "ways"))
                fs::remove(one.path());
        else
            FAIL(how);
    }
};

std::string any_loss() { return GENERATE("removed by force", "all deleted", "the files of the ways deleted"); }

void end(deployed_peer& who)
{
    who.process().kill(SIGKILL);
    REQUIRE(who.process().wait() == -SIGKILL);
}

} // namespace

TEST_CASE("a process that stands by hears the owner's death though the segment's paths are gone", "[fault-139]")
{
    a_service here;
    const std::string how = any_loss();
    CAPTURE(how);
    const bool before = GENERATE(false, true); // lost before any doorbell was made
    if (before) here.lose(how);
    REQUIRE(here.a.ask("event_select h e read") == "ok");
    REQUIRE(here.b.ask("stand_by h e read") == "ok");
    if (!before) here.lose(how);
    here.pair.say("x");
    end(here.a);
    CHECK(here.b.ask("wait e 10000") == "yes");
    CHECK(here.b.ask("enum h e") == "read");
}

TEST_CASE("a take-over tells the loser though the segment's paths are gone", "[fault-139]")
{
    a_service here;
    const std::string how = any_loss();
    CAPTURE(how);
    REQUIRE(here.a.ask("event_select h e read tell") == "ok");
    here.lose(how);
    REQUIRE(here.b.ask("event_select h e read") == "ok"); // its doorbell has no name
    CHECK(here.a.ask("wait e 10000") == "yes");
    REQUIRE(here.a.ask("event_select h e read") == "ok");
    here.pair.say("x");
    CHECK(here.a.ask("wait e 10000") == "yes");
    CHECK(here.a.ask("enum h e") == "read");
}

TEST_CASE("the owner is rung by many processes that have never rung it before, after the paths are gone", "[fault-139]")
{
    a_service here;
    const std::string how = any_loss();
    CAPTURE(how);
    REQUIRE(here.a.ask("event_select h e read tell") == "ok");
    here.lose(how);
    for (int turn = 0; turn < 20; ++turn) {
        REQUIRE(here.b.ask("event_select h e read tell") == "ok");
        REQUIRE(here.a.ask("wait e 10000") == "yes");
        REQUIRE(here.a.ask("enum h e").find("lost") != std::string::npos);
        REQUIRE(here.a.ask("event_select h e read tell") == "ok");
        REQUIRE(here.b.ask("wait e 10000") == "yes");
        REQUIRE(here.b.ask("enum h e").find("lost") != std::string::npos);
    }
}

TEST_CASE("tickets and hand-overs find another way to a process whose mailbox has no name any more", "[fault-140]")
{
    a_service here;
    const std::string how = any_loss();
    CAPTURE(how);
    here.lose(how);
    CHECK(share(here.a, "h", here.b) == "ok"); // they have never sent to each other
    CHECK(here.a.ask("hand_over_unacknowledged h " + here.b.pid() + " 4 50000") == "ok");
    CHECK(here.b.ask("wait_hand_over g").find("tag=4 count=50000") == 0);
    CHECK(here.b.ask("redeem k " + here.ticket_for(here.b)) == "ok");
    REQUIRE(here.b.ask("publish k web") == "ok");
    REQUIRE(here.a.ask("start t open_published k web") == "ok");
    while (here.a.ask("running t") == "yes")
        REQUIRE(here.b.ask("poll_segment") == "ok");
    CHECK(here.a.ask("join t") == "ok");
}

TEST_CASE("a child that is forked after the paths are gone is attached", "[fault-140]")
{
    a_service here;
    const std::string how = any_loss();
    CAPTURE(how);
    here.lose(how);
    CHECK(here.a.ask("in_fork is_open h") == "yes");
    CHECK(here.a.ask("in_fork duplicate h " + here.b.pid()).find("error") == std::string::npos);
    CHECK(here.a.ask("in_fork hand_over_unacknowledged h " + here.b.pid() + " 6 1") == "ok");
    CHECK(here.b.ask("wait_hand_over g").find("tag=6") == 0);
}

TEST_CASE(
    "a child that is forked after the directory was deleted owns events and is rung, and a call that sends to it says paths_lost",
    "[fault-140][fault-141]")
{
    a_service here;
    here.lose("all deleted");
    int to_parent[2];
    int to_child[2];
    REQUIRE(::pipe2(to_parent, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(to_child, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(to_child[1]);
        ss::event_object mine;
        ss::error_code ec;
        here.pair.socket.event_select(mine, ss::network_event::read, ss::select_options{.tell_loss = true}, ec);
        char word = ec ? 'e' : 'o';
        if (::write(to_parent[1], &word, 1) != 1) ::_exit(1);
        const bool told = mine.wait(test::patience);
        word            = told && here.pair.socket.enum_network_events(mine).lost.has_value() ? 't' : 'n';
        if (::write(to_parent[1], &word, 1) != 1) ::_exit(1);
        static_cast<void>(!::read(to_child[0], &word, 1)); // the end of its parent's pipe
        ::_exit(0);
    }
    char word = 0;
    REQUIRE(::read(to_parent[0], &word, 1) == 1);
    CHECK(word == 'o');
    ss::event_object mine;
    here.pair.socket.event_select(mine, ss::network_event::read);
    REQUIRE(::read(to_parent[0], &word, 1) == 1);
    CHECK(word == 't');
    const auto id = here.segment.find_process(child);
    REQUIRE(id);
    ss::error_code ec;
    here.pair.socket.duplicate(*id, ec);
    CHECK(ec == ss::errc::paths_lost);
    for (const int end : {to_parent[0], to_parent[1], to_child[0], to_child[1]})
        ::close(end);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
}

TEST_CASE("a call that finds no way to a live process whose paths are gone says so and names the directory", "[fault-141]")
{
    if (test::skipped_without_root()) return;
    a_service here;
    const std::string how = GENERATE("all deleted", "the files of the ways deleted");
    REQUIRE(here.a.ask("become 65534") == "ok");
    REQUIRE(here.b.ask("become 65534") == "ok");
    here.lose(how);
    REQUIRE(here.a.ask("event_select h e read") == "ok"); // events need no path
    REQUIRE(here.b.ask("stand_by h e read") == "ok");
    CHECK(here.a.ask("duplicate h " + here.b.pid()) == "error: host_unreachable, paths_lost");
    CHECK(here.a.ask("message").find("RuntimeDirectory=") != std::string::npos);
    CHECK(here.a.ask("hand_over_unacknowledged h " + here.b.pid() + " 1 1") == "error: host_unreachable, paths_lost");
    CHECK(here.a.ask("is_open h") == "yes"); // it keeps what it could not give away
    here.pair.say("x");
    end(here.a);
    CHECK(here.b.ask("wait e 10000") == "yes");
}

TEST_CASE("a segment of which a file was deleted is not opened, and the error says what has happened", "[fault-141]")
{
    a_service here;
    const std::string file = GENERATE("life.0", "bell.all", "ways");
    CAPTURE(file);
    fs::remove_all(here.directory() / file);
    ss::error_code ec;
    ss::segment::open(here.name, here.options, ec);
    CHECK(ec == ss::errc::paths_lost);
    CHECK(ss::describe_failure(ec).find("RemoveIPC") != std::string::npos);
    CHECK(share(here.a, "h", here.b) == "ok"); // the processes that are attached go on
    REQUIRE(here.a.ask("event_select h e read") == "ok");
    REQUIRE(here.b.ask("stand_by h e read") == "ok");
    end(here.a);
    here.pair.say("x");
    CHECK(here.b.ask("wait e 10000") == "yes");
}

TEST_CASE("a death is heard though the lock files have no name any more, at any process index", "[fault-139]")
{
    test::scratch_directory home;
    ss::segment_options options = a_service::in(home.path());
    options.processes           = 600; // three lock files
    const std::string name      = test::unique_name();
    const ss::segment segment   = ss::segment::create(name, options);
    std::vector<ss::segment> many;
    for (int i = 0; i < 300; ++i)
        many.push_back(ss::segment::open(name, options));
    deployed_peer late(name, options); // its byte is in the second lock file
    REQUIRE(late.answer() == "ready");
    many.clear();
    fs::remove_all(home.path() / ("sharedsock." + std::to_string(::geteuid()) + "." + name));
    const auto id = segment.find_process(late.process().pid()).value();
    REQUIRE(id.index >= 256);
    CHECK(segment.alive(id));
    end(late);
    CHECK_FALSE(segment.alive(id));
}

TEST_CASE("the files of a segment that is removed by force go with the last attached process", "[fault-142]")
{
    a_service here;
    here.lose("removed by force");
    CHECK(here.entries() == 1); // under a hidden name
    ss::error_code ec;
    ss::segment::open(here.name, here.options, ec);
    CHECK(ec == ss::errc::segment_not_found);
    const auto anew = ss::segment::create(here.name, here.options); // the name is free
    CHECK(here.entries() == 2);
    SECTION("that ends in order")
    {
        end(here.a);
        end(here.b);
        here.pair.socket = {};
        here.segment     = {};
        CHECK(here.entries() == 1);
    }
    SECTION("that is killed: the next creator removes it")
    {
        REQUIRE(here.a.ask("in_fork is_open h") == "yes");
        here.pair.socket = {};
        here.segment     = {};
        end(here.a);
        end(here.b);
        CHECK(here.entries() == 2);
        const auto next = ss::segment::create(test::unique_name(), here.options);
        CHECK(here.entries() == 2); // `anew` and `next`
    }
}
