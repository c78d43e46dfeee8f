// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Deaths that have to be heard where a pid or a pidfd does not tell them: no process here serves or sweeps.
#include "process/shared_stream.hpp"
#include "support/peer_elsewhere.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

using test::end;
using test::redeem;

namespace {

// An owner of the events, and another process that stands by; data waits.
template <class Owner, class Stander>
struct two_of_a_line {
    explicit two_of_a_line(test::scratch_segment& where, Owner& who_owns, Stander& who_stands)
        : segment(where), owner(who_owns), stander(who_stands)
    {
        REQUIRE(give(owner) == "ok");
        REQUIRE(give(stander) == "ok");
        REQUIRE(owner.ask("event e") == "ok");
        REQUIRE(stander.ask("event e") == "ok");
        REQUIRE(owner.ask("event_select h e read") == "ok");
        s.socket.close();
        s.x.send("data");
    }
    template <class Peer>
    std::string give(Peer& to)
    {
        const std::string self = to.ask("self");
        const auto dot         = self.find('.');
        const sharedsock::process_id id{static_cast<std::uint32_t>(std::stoul(self)),
                                        static_cast<std::uint32_t>(std::stoul(self.substr(dot + 1)))};
        return to.ask("redeem h " + s.socket.duplicate(id).to_text());
    }
    bool stander_is_told() { return stander.ask("wait e 15000") == "yes" && stander.ask("enum h e") == "read"; }

    test::scratch_segment& segment;
    Owner& owner;
    Stander& stander;
    test::shared_stream s{segment};
};

// Of the timer that polls for deaths in process `pid`: whether there is one, and whether it runs.
struct death_timer {
    bool made = false;
    bool runs = false;
};
death_timer timer_of(pid_t pid)
{
    death_timer found;
    for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo")) {
        std::ifstream file(each.path());
        for (std::string line; std::getline(file, line);) {
            if (line.find("it_value:") != 0) continue;
            found.made = true;
            found.runs = found.runs || line.find("(0, 0)") == std::string::npos;
        }
    }
    return found;
}

} // namespace

TEST_CASE("the death of an owner in a child pid namespace gives the events to the process that stands by outside",
          "[G7][fault-102]")
{
    test::scratch_segment segment;
    test::peer_elsewhere owner(segment.name());
    if (!owner.possible()) {
        WARN("skipped: only root can make a pid namespace");
        return;
    }
    test::peer stander(segment.name());
    two_of_a_line line(segment, owner, stander);
    REQUIRE(stander.ask("stand_by h e read") == "ok");
    CHECK_FALSE(timer_of(stander.process().pid()).made); // the kernel has a pid for the owner here, so the watch has a pidfd
    owner.end();
    CHECK(line.stander_is_told());
}

TEST_CASE("the death of an owner outside gives the events to the process that stands by in a child pid namespace",
          "[G7][fault-102]")
{
    test::scratch_segment segment;
    test::peer_elsewhere stander(segment.name());
    if (!stander.possible()) {
        WARN("skipped: only root can make a pid namespace");
        return;
    }
    test::peer owner(segment.name());
    two_of_a_line line(segment, owner, stander);
    REQUIRE(stander.ask("stand_by h e read") == "ok");
    end(owner);
    CHECK(line.stander_is_told());
}

TEST_CASE("two processes of pid 1 hear each other's death", "[G7][fault-102]")
{
    test::scratch_segment segment;
    test::peer_elsewhere owner(segment.name()), stander(segment.name());
    if (!owner.possible() || !stander.possible()) {
        WARN("skipped: only root can make a pid namespace");
        return;
    }
    two_of_a_line line(segment, owner, stander);
    REQUIRE(stander.ask("stand_by h e read") == "ok");
    owner.end();
    CHECK(line.stander_is_told());
}

TEST_CASE("the death of an owner is heard where pidfd_open is denied, and its timer runs no longer than the watch",
          "[G7][fault-103]")
{
    const std::string error = GENERATE("EPERM", "ENOSYS");
    test::scratch_segment segment;
    test::peer owner(segment.name()), stander(segment.name());
    REQUIRE(stander.ask("deny pidfd_open " + error) == "ok");
    two_of_a_line line(segment, owner, stander);
    REQUIRE(stander.ask("stand_by h e read") == "ok");
    CHECK(timer_of(stander.process().pid()).runs);
    end(owner);
    CHECK(line.stander_is_told());
    CHECK_FALSE(timer_of(stander.process().pid()).runs); // no process is left to watch
}

TEST_CASE("a process with a pidfd is not polled for its death", "[G12][fault-103]")
{
    test::scratch_segment segment;
    test::peer owner(segment.name()), stander(segment.name());
    two_of_a_line line(segment, owner, stander);
    REQUIRE(stander.ask("stand_by h e read") == "ok");
    CHECK_FALSE(timer_of(stander.process().pid()).made);
    end(owner);
    CHECK(line.stander_is_told());
}

TEST_CASE("the death of an owner is heard though its record names the pid of another live process", "[G7][fault-104]")
{
    test::scratch_segment segment;
    test::peer owner(segment.name()), stander(segment.name());
    two_of_a_line line(segment, owner, stander);
    const auto id                                                   = id_of(segment, owner);
    segment->attachment()->member()->bytes().process(id.index)->pid = ::getpid(); // as if the owner's own pid had been used again
    REQUIRE(stander.ask("stand_by h e read") == "ok");
    end(owner);
    CHECK(line.stander_is_told());
}
