// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A segment's name and files go: by remove, and when the next creator finds them left over.
#include "store/liveness_lock.hpp"
#include "store/segment_directory.hpp"
#include "store/segment_file.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/skip.hpp"
#include "unit/segment_home.hpp"

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace fs = std::filesystem;

using namespace sharedsock::detail;
using sharedsock::errc;
using sharedsock::error_code;
using test::segment_home;

// Builds in the directory given, and pauses before the segment has its name.
SHAREDSOCK_CHILD_ROLE("creator that never ends")
{
    error_code ec;
    const segment_directory place(role.args.at(0), {}, ec);
    const new_directory unfinished(place, ec);
    const unique_fd memory(::openat(unfinished.native_handle(), "memory", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    role.say(ec ? ec.message() : "building");
    role.hear();
    return 0;
}

SHAREDSOCK_CHILD_ROLE("holder of life byte 0")
{
    error_code ec;
    const unique_fd directory(::open(role.args.at(0).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto life = liveness_lock::open(directory.get(), 1);
    role.say(life->take(0, ec) ? "attached" : "refused");
    role.hear();
    return 0;
}

TEST_CASE("remove never enters another user's directory", "[fault-60]")
{
    if (::geteuid() != 0) {
        test::skip("only root can give a directory to another user");
        return;
    }
    segment_home home;
    home.create("web");
    REQUIRE(::chown(home.entry("web").c_str(), 65534, 65534) == 0);
    CHECK_FALSE(segment_file::remove("web", home.options, true, home.ec));
    CHECK(home.ec == errc::foreign_segment);
    CHECK(fs::exists(home.memory("web")));
}

TEST_CASE("remove takes the name and all files away, and says whether there was any")
{
    segment_home home;
    const auto file = home.create("web");
    std::ofstream(home.entry("web") / "bell.7") << "made later";

    CHECK(segment_file::remove("web", home.options, false, home.ec));
    CHECK(home.ec == error_code());
    CHECK(home.contents().empty());
    CHECK_FALSE(file->still_named(home.ec));
    file->base()[page] = std::byte{1}; // a process that has it mapped goes on with it

    CHECK_FALSE(segment_file::remove("web", home.options, false, home.ec));
    CHECK(home.ec == error_code());
}

TEST_CASE("a segment made anew under an old name is another one", "[fault-56]")
{
    segment_home home;
    const auto old = home.create("web");
    segment_file::remove("web", home.options, false, home.ec);
    const auto anew = home.create("web");
    CHECK_FALSE(old->still_named(home.ec));
    CHECK(anew->still_named(home.ec));
}

TEST_CASE("a segment with a live process is removed by force only")
{
    segment_home home;
    home.create("web");
    test::child_process process("holder of life byte 0", {home.entry("web")});
    process.wait_for("attached");

    CHECK_FALSE(segment_file::remove("web", home.options, false, home.ec));
    CHECK(home.ec == errc::segment_in_use);
    CHECK(home.open_error("web") == error_code());

    CHECK(segment_file::remove("web", home.options, true, home.ec));
    CHECK(home.open_error("web") == errc::segment_not_found);
    REQUIRE(home.contents().size() == 1); // the process keeps its ways to others
    CHECK(home.contents().front().front() == '.');

    home.create("mail");
    CHECK(home.contents().size() == 2);
    process.kill(SIGKILL);
    process.wait();
    home.create("more");
    CHECK(home.contents().size() == 2);
}

TEST_CASE("a dead process does not keep a segment from being removed")
{
    segment_home home;
    home.create("web");
    test::child_process process("holder of life byte 0", {home.entry("web")});
    process.wait_for("attached");
    process.kill(SIGKILL);
    process.wait();
    CHECK(segment_file::remove("web", home.options, false, home.ec));
}

TEST_CASE("a segment of an earlier boot is replaced when it is created anew", "[fault-18]")
{
    segment_home home;
    home.create("web");
    home.age("web");
    CHECK(home.open_error("web") == errc::stale_segment);
    CHECK(home.create("web")->still_named(home.ec));
    CHECK(home.contents().size() == 1);
}

TEST_CASE("a segment that only seems to be of an earlier boot is not replaced while a process is attached")
{
    segment_home home;
    home.create("web");
    home.age("web");
    test::child_process process("holder of life byte 0", {home.entry("web")});
    process.wait_for("attached");
    segment_file::create("web", home.options, home.ec);
    CHECK(home.ec == errc::segment_exists);
}

TEST_CASE("a directory without memory is replaced, a segment of another layout is not")
{
    segment_home home;
    fs::create_directory(home.entry("empty"));
    home.create("empty");

    home.create("newer");
    home.overwrite("newer", offsetof(segment_header, version), layout_version + 1);
    segment_file::create("newer", home.options, home.ec);
    CHECK(home.ec == errc::segment_exists);
}

TEST_CASE("the next creator removes the files of a dead creator, and not those of a live one", "[fault-3][fault-52]")
{
    segment_home home;
    test::child_process creator("creator that never ends", {home.options.directory});
    creator.wait_for("building");

    home.create("first");
    CHECK(home.contents().size() == 2);

    creator.kill(SIGKILL);
    creator.wait();
    home.create("second");
    CHECK(home.contents().size() == 2);
}

TEST_CASE("an unfinished segment has no name and is not listed", "[fault-52]")
{
    segment_home home;
    test::child_process creator("creator that never ends", {home.options.directory});
    creator.wait_for("building");
    home.create("web");
    home.create("mail");
    CHECK(segment_file::list(home.options, home.ec) == std::vector<std::string>{"mail", "web"});
}
