// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The directories of unnamed segments whose processes have died.
#include "attach/attachment.hpp"
#include "deployment/deployed_peer.hpp"
#include "store/segment_file.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/role.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace ss = sharedsock;
namespace fs = std::filesystem;

namespace {

ss::segment_options in(const std::string& directory)
{
    ss::segment_options made{.sockets = 8, .processes = 4};
    made.directory = directory;
    return made;
}

std::size_t entries(const fs::path& home)
{
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(home), fs::directory_iterator()));
}

} // namespace

SHAREDSOCK_CHILD_ROLE("has an unnamed segment")
{
    if (role.args.size() > 1 && ::setuid(static_cast<uid_t>(std::stoul(role.args.at(1)))) != 0) return 1;
    const auto made = ss::segment::create_unnamed(in(role.args.at(0)));
    role.say("ready");
    role.hear();
    return 0;
}

SHAREDSOCK_CHILD_ROLE("makes unnamed segments")
{
    for (int i = 0; i < 50; ++i) {
        ss::error_code ec;
        const auto made = ss::segment::create_unnamed(in(role.args.at(0)), ec);
        if (ec) {
            role.say(ec.message());
            return 0;
        }
    }
    role.say("made");
    return 0;
}

TEST_CASE("the next creator of an unnamed segment removes those whose processes have all died", "[fault-143]")
{
    const test::scratch_directory home;
    {
        test::child_process dead("has an unnamed segment", {home.path()});
        dead.wait_for("ready");
        dead.kill(SIGKILL);
        dead.wait();
    }
    test::child_process live("has an unnamed segment", {home.path()});
    live.wait_for("ready");
    CHECK(entries(home.path()) == 1);
    const auto mine = ss::segment::create_unnamed(in(home.path()));
    CHECK(entries(home.path()) == 2);
    live.kill(SIGKILL);
    live.wait();
    const auto more = ss::segment::create_unnamed(in(home.path()));
    CHECK(entries(home.path()) == 2);
}

TEST_CASE("the next creator of an unnamed segment leaves those of other users, and named ones", "[fault-143]")
{
    if (test::skipped_without_root()) return;
    const test::scratch_directory home;
    REQUIRE(::chmod(home.path().c_str(), 01777) == 0);
    test::child_process other("has an unnamed segment", {home.path(), "65534"});
    other.wait_for("ready");
    other.kill(SIGKILL);
    other.wait();
    {
        const auto named = ss::segment::create("idle", in(home.path()));
    }
    const auto mine = ss::segment::create_unnamed(in(home.path()));
    CHECK(entries(home.path()) == 3);
}

TEST_CASE("a segment that another process removes between its creation and the creator's attaching counts as not found",
          "[fault-155]")
{
    const test::scratch_directory home;
    ss::error_code ec;
    SECTION("an unnamed one, by the next creator")
    {
        auto made = ss::detail::segment_file::create_unnamed(in(home.path()), ec);
        REQUIRE_FALSE(ec);
        const auto other = ss::detail::segment_file::create_unnamed(in(home.path()), ec);
        REQUIRE_FALSE(ec);
        CHECK(ss::detail::attachment::join(std::move(made), in(home.path()), ec) == nullptr);
    }
    SECTION("a named one")
    {
        auto made = ss::detail::segment_file::create("removed", in(home.path()), ec);
        REQUIRE_FALSE(ec);
        REQUIRE(ss::segment::remove("removed", in(home.path()), false, ec));
        CHECK(ss::detail::attachment::join(std::move(made), in(home.path()), ec) == nullptr);
    }
    SECTION("a named one that is opened")
    {
        const auto made = ss::detail::segment_file::create("removed", in(home.path()), ec);
        REQUIRE_FALSE(ec);
        auto opened = ss::detail::segment_file::open("removed", in(home.path()), ec);
        REQUIRE_FALSE(ec);
        REQUIRE(ss::segment::remove("removed", in(home.path()), false, ec));
        CHECK(ss::detail::attachment::join(std::move(opened), in(home.path()), ec) == nullptr);
    }
    CHECK(ec == ss::errc::segment_not_found); // the caller's loop makes another
}

TEST_CASE("processes that make unnamed segments at the same time remove none of each other's", "[fault-143]")
{
    const test::scratch_directory home;
    test::child_process one("makes unnamed segments", {home.path()});
    test::child_process other("makes unnamed segments", {home.path()});
    CHECK(one.line() == "made");
    CHECK(other.line() == "made");
    one.wait();
    other.wait();
    CHECK(entries(home.path()) == 0);
}
