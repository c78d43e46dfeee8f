// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A segment without a name: it is opened by its descriptor, and goes when no process is attached.
#include "store/liveness_lock.hpp"
#include "store/segment_file.hpp"
#include "support/catch.hpp"
#include "unit/segment_home.hpp"

#include <cstddef>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

using namespace sharedsock::detail;
using sharedsock::errc;
using sharedsock::error_code;
using test::segment_home;

TEST_CASE("an unnamed segment is opened by its descriptor and goes with its directory", "[G11]")
{
    segment_home home;
    const auto mine = segment_file::create_unnamed(home.options, home.ec);
    REQUIRE(home.ec == error_code());
    const auto other = segment_file::open_unnamed(mine->memory(), home.options, home.ec);
    REQUIRE(home.ec == error_code());
    CHECK(other->name().empty());
    CHECK(other->memory() != mine->memory());
    mine->base()[page] = std::byte{42};
    CHECK(other->base()[page] == std::byte{42});
    CHECK(mine->still_named(home.ec));
    CHECK(home.contents().size() == 1);

    mine->remove_if_nameless();
    CHECK(home.contents().empty());
    CHECK_FALSE(other->still_named(home.ec));
    segment_file::open_unnamed(mine->memory(), home.options, home.ec);
    CHECK(home.ec == errc::segment_not_found);
}

TEST_CASE("an unnamed segment cannot be cut short", "[fault-51]")
{
    segment_home home;
    const auto file = segment_file::create_unnamed(home.options, home.ec);
    REQUIRE(home.ec == error_code());
    CHECK(::ftruncate(file->memory(), 0) == -1);
    CHECK(::ftruncate(file->memory(), static_cast<off_t>(file->plan().size_bytes) + 1) == -1);
    auto& backed = reinterpret_cast<segment_header*>(file->base())->sockets_backed;
    file->back(file->plan().sockets_offset, sizeof(socket_slot), 1'000, 999, backed, home.ec);
    CHECK(home.ec == error_code());
}

TEST_CASE("the directory of an unnamed segment stays while a process is attached")
{
    segment_home home;
    const auto file = segment_file::create_unnamed(home.options, home.ec);
    const auto life = liveness_lock::open(file->directory(), 1);
    REQUIRE(life->take(0, home.ec));
    file->remove_if_nameless();
    CHECK(file->still_named(home.ec));
    life->give(0);
    file->remove_if_nameless();
    CHECK_FALSE(file->still_named(home.ec));
}

TEST_CASE("the files that a crash left of an unnamed segment are listed and can be removed")
{
    segment_home home;
    segment_file::create_unnamed(home.options, home.ec);
    const auto names = segment_file::list(home.options, home.ec);
    REQUIRE(names.size() == 1);
    CHECK(segment_file::remove(names.front(), home.options, false, home.ec));
    CHECK(home.contents().empty());
}

TEST_CASE("a descriptor of anything else is no unnamed segment", "[G10]")
{
    segment_home home;
    const auto named = home.create("web");
    const unique_fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int wrong : {named->memory(), named->directory(), null.get()}) {
        segment_file::open_unnamed(wrong, home.options, home.ec);
        CHECK(home.ec == errc::not_a_segment);
    }
    segment_file::open_unnamed(-1, home.options, home.ec);
    CHECK(home.ec == std::errc::bad_file_descriptor);
}

TEST_CASE("a named segment is not removed with its last attachment")
{
    segment_home home;
    const auto file = home.create("web");
    file->remove_if_nameless();
    CHECK(file->still_named(home.ec));
}
