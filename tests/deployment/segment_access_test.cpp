// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// segment_options::owner and group: which processes may attach, and what is checked.
#include "deployment/deployed_peer.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/scratch_segment.hpp"
#include "support/share.hpp"

#include <sharedsock/sharedsock.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ss = sharedsock;
namespace fs = std::filesystem;
using test::deployed_peer;

namespace {

ss::segment_options options(std::optional<std::uint32_t> owner, std::optional<std::uint32_t> group)
{
    ss::segment_options made{.sockets = 64, .processes = 8};
    made.owner = owner;
    made.group = group;
    return made;
}

fs::path directory_of(const std::string& name, unsigned owner = 0)
{
    return "/dev/shm/sharedsock." + std::to_string(owner) + "." + name;
}

std::string mode_of(const fs::path& path)
{
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) return "none";
    char text[64];
    std::snprintf(text, sizeof text, "%o %u:%u", about.st_mode & 07777, about.st_uid, about.st_gid);
    return text;
}

std::string word(const ss::error_code& ec) { return ec ? ec.message() : "ok"; }

} // namespace

TEST_CASE("a segment for a group is open to the processes of that group, by its first or another one", "[fault-134]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment(options({}, test::www));
    const ss::segment_options same = options(0, test::www);
    deployed_peer first(segment.name(), same, {test::nobody, test::www});
    deployed_peer other(segment.name(), same, {test::another, test::another, test::www});
    REQUIRE(first.answer() == "ready");
    REQUIRE(other.answer() == "ready");
    REQUIRE(first.ask("listener l") != "");
    CHECK(share(first, "l", other) == "ok");
    REQUIRE(first.ask("event e") == "ok");
    REQUIRE(first.ask("event_select l e accept tell") == "ok");
    REQUIRE(other.ask("event e") == "ok");
    REQUIRE(other.ask("event_select l e accept") == "ok");
    CHECK(first.ask("wait e 10000") == "yes");
    CHECK(first.ask("hand_over_unacknowledged l " + other.pid() + " 5 5") == "ok");
    CHECK(other.ask("wait_hand_over k").find("tag=5") == 0);

    deployed_peer outsider(segment.name(), same, {test::nobody, test::nobody});
    CHECK(outsider.answer().find("user 65534, group 65534") != std::string::npos);
    CHECK(outsider.answer().find("segment_options::group") != std::string::npos);
}

TEST_CASE("the master and workers of two other users share a segment through a group", "[fault-134]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment(options({}, test::www));
    deployed_peer a(segment.name(), options(0, test::www), {test::nobody, test::www});
    deployed_peer b(segment.name(), options(0, test::www), {test::another, test::www});
    test::connection pair(segment);
    const auto id = segment->find_process(a.process().pid()).value();
    REQUIRE(a.ask("redeem h " + pair.socket.duplicate(id).to_text()) == "ok");
    REQUIRE(share(a, "h", b) == "ok");
    REQUIRE(a.ask("event e") == "ok");
    REQUIRE(a.ask("event_select h e read") == "ok");
    REQUIRE(b.ask("event e") == "ok");
    REQUIRE(b.ask("stand_by h e read") == "ok");
    pair.say("x");
    a.process().kill(SIGKILL);
    REQUIRE(a.process().wait() == -SIGKILL);
    CHECK(b.ask("wait e 10000") == "yes");
    ss::event_object mine;
    pair.socket.event_select(mine, ss::network_event::read);
    CHECK(mine.wait(std::chrono::seconds(10)));
}

TEST_CASE("a segment that is made for another user is that user's, and its maker may attach", "[fault-135]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment(options(test::nobody, {}));
    CHECK(mode_of(directory_of(segment.name(), test::nobody)) == "700 65534:0");
    CHECK(mode_of(directory_of(segment.name(), test::nobody) / "memory") == "600 65534:0");
    deployed_peer theirs(segment.name(), {}, {test::nobody});
    REQUIRE(theirs.answer() == "ready");
    deployed_peer roots(segment.name(), options(test::nobody, {}));
    REQUIRE(roots.answer() == "ready");
    REQUIRE(theirs.ask("listener l") != "");
    CHECK(share(theirs, "l", roots) == "ok");
    CHECK(share(roots, "l", theirs) == "ok");
    deployed_peer stranger(segment.name(), options(test::nobody, {}), {test::another});
    CHECK(stranger.answer().find("user 65533") != std::string::npos);
}

TEST_CASE("a process gives a segment to no user or group to which it may not give files", "[fault-135]")
{
    if (test::skipped_without_root()) return;
    const auto as_nobody = [](const ss::segment_options& wanted) {
        return test::in_child([&] {
            if (::setgroups(0, nullptr) != 0 || ::setgid(test::nobody) != 0 || ::setuid(test::nobody) != 0) return std::string("?");
            ss::error_code ec;
            const std::string name = test::unique_name();
            ss::segment::create(name, wanted, ec);
            const std::string text = ec == ss::errc::ownership_denied ? "denied" : word(ec);
            ss::error_code none;
            return text + (ss::segment::remove(name, wanted, true, none) ? ", made" : "");
        });
    };
    CHECK(as_nobody(options(test::another, {})) == "denied");
    CHECK(as_nobody(options({}, test::www)) == "denied");
    CHECK(as_nobody(options({}, test::nobody)) == "ok, made");
}

TEST_CASE("the options of each process have to say whose the files are, exactly", "[fault-136]")
{
    if (test::skipped_without_root()) return;
    const std::string name = test::unique_name();
    SECTION("a segment of the owner alone")
    {
        const auto made = ss::segment::create(name, options({}, {}));
        ss::error_code ec;
        ss::segment::open(name, options({}, test::www), ec);
        CHECK(ec == ss::errc::foreign_segment);
        CHECK(ss::describe_failure(ec).find("segment_options::owner and group") != std::string::npos);
        ss::segment::open(name, options(test::nobody, {}), ec);
        CHECK(ec == ss::errc::segment_not_found);
        ss::segment::remove(name, {}, true);
    }
    SECTION("a segment for a group")
    {
        const auto made = ss::segment::create(name, options({}, test::www));
        ss::error_code ec;
        ss::segment::open(name, options({}, {}), ec);
        CHECK(ec == ss::errc::foreign_segment);
        ss::segment::open(name, options({}, test::another), ec);
        CHECK(ec == ss::errc::foreign_segment);
        ss::segment::open(name, options({}, test::www), ec);
        CHECK_FALSE(ec);
        ss::segment::remove(name, options({}, test::www), true);
    }
}

TEST_CASE("a segment of whose files one has another owner, group or mode than the options say is refused", "[fault-136]")
{
    if (test::skipped_without_root()) return;
    const bool grouped     = GENERATE(false, true);
    const auto wanted      = grouped ? options({}, test::www) : options({}, {});
    const std::string name = test::unique_name();
    {
        const auto made = ss::segment::create(name, wanted);
    }
    const fs::path directory = directory_of(name);
    CHECK(mode_of(directory) == (grouped ? "750 0:65532" : "700 0:0"));
    CHECK(mode_of(directory / "memory") == (grouped ? "660 0:65532" : "600 0:0"));
    CHECK(mode_of(directory / "life.0") == (grouped ? "660 0:65532" : "600 0:0"));
    CHECK(mode_of(directory / "bell.all") == (grouped ? "660 0:65532" : "600 0:0"));
    CHECK(mode_of(directory / "ways").substr(0, 5) == "777 0");

    struct change {
        const char* file;
        int mode; // -1: stays
        int owner, group;
    };
    const change one = GENERATE(change{"", 0755, -1, -1}, change{"", 0770, -1, -1}, change{"", -1, 65534, -1},
                                change{"memory", 0666, -1, -1}, change{"memory", 0640, -1, -1}, change{"memory", 0602, -1, -1},
                                change{"memory", -1, 65534, -1}, change{"ways", -1, 65534, -1}, change{"ways", 0755, -1, -1},
                                change{"memory", 0660, -1, 65533}, change{"", 0750, -1, 65533});
    CAPTURE(grouped, one.file, one.mode, one.owner, one.group);
    const fs::path file = *one.file ? directory / one.file : directory;
    if (one.owner >= 0 || one.group >= 0)
        REQUIRE(::chown(file.c_str(), static_cast<uid_t>(one.owner), static_cast<gid_t>(one.group)) == 0);
    if (one.mode >= 0) REQUIRE(::chmod(file.c_str(), static_cast<mode_t>(one.mode)) == 0);
    ss::error_code ec;
    ss::segment::open(name, wanted, ec);
    CHECK(ec == ss::errc::foreign_segment);
    fs::remove_all(directory);
}
