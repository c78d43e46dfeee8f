// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A segment's tables get their pages as they are used, and a full file system has none.
#include "store/segment_file.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"
#include "support/unique_name.hpp"
#include "unit/segment_home.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

using namespace sharedsock::detail;
using sharedsock::error_code;
using test::segment_home;
using test::small;

namespace {

std::uint64_t bytes_with_pages(int file)
{
    struct stat status;
    REQUIRE(::fstat(file, &status) == 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

// A tmpfs of a few pages; empty path where this process may not mount.
class tiny_tmpfs {
public:
    explicit tiny_tmpfs(const char* size)
    {
        mounted_ = ::geteuid() == 0 && ::mount("tmpfs", scratch_.path().c_str(), "tmpfs", 0, size) == 0;
        if (!mounted_) {
            test::skip("this process may not mount a tmpfs");
        }
    }
    ~tiny_tmpfs()
    {
        if (mounted_) {
            ::umount2(scratch_.path().c_str(), MNT_DETACH);
        }
    }
    explicit operator bool() const { return mounted_; }
    const fs::path& path() const { return scratch_.path(); }

private:
    test::scratch_directory scratch_;
    bool mounted_ = false;
};

} // namespace

TEST_CASE("a table gets pages as its records are used")
{
    segment_home home;
    const auto file  = home.create("web");
    const auto& plan = file->plan();
    auto& backed     = reinterpret_cast<segment_header*>(file->base())->sockets_backed;
    const auto back  = [&](std::uint32_t record) {
        file->back(plan.sockets_offset, sizeof(socket_slot), plan.capacity.sockets, record, backed, home.ec);
        return home.ec;
    };
    const std::uint64_t at_first = bytes_with_pages(file->memory());
    CHECK(at_first == plan.handles_offset);
    CHECK(backed == 0);

    CHECK(back(0) == error_code());
    CHECK(backed == 64 * 1024 / sizeof(socket_slot));
    CHECK(bytes_with_pages(file->memory()) == at_first + 64 * 1024);

    CHECK(back(255) == error_code()); // has pages already
    CHECK(bytes_with_pages(file->memory()) == at_first + 64 * 1024);

    CHECK(back(999) == error_code()); // the last one: clipped to the table
    CHECK(backed == 1'000);
    CHECK(bytes_with_pages(file->memory()) == at_first + segment_plan::pages(1'000 * sizeof(socket_slot)));
    CHECK(plan.size_bytes == fs::file_size(home.memory("web")));
}

TEST_CASE("backing never lowers the count that another process has backed")
{
    segment_home home;
    const auto file  = home.create("web");
    const auto& plan = file->plan();
    auto& backed     = reinterpret_cast<segment_header*>(file->base())->handles_backed;
    std::thread other([&] {
        error_code ec;
        for (std::uint32_t record = 0; record < plan.capacity.handles; ++record) {
            file->back(plan.handles_offset, sizeof(handle_record), plan.capacity.handles, record, backed, ec);
        }
    });
    std::uint32_t seen = 0;
    while (seen < plan.capacity.handles) {
        const std::uint32_t now = backed;
        if (now < seen) {
            break;
        }
        seen = now;
        file->back(plan.handles_offset, sizeof(handle_record), plan.capacity.handles, std::min(now, plan.capacity.handles - 1),
                   backed, home.ec);
    }
    other.join();
    CHECK(seen == plan.capacity.handles);
}

TEST_CASE("a full file system refuses a new segment and nothing is left behind", "[fault-47][G10]")
{
    const tiny_tmpfs disk("size=64k");
    if (!disk) {
        return;
    }
    error_code ec;
    CHECK(segment_file::create("web", small(disk.path()), ec) == nullptr);
    CHECK(ec == std::errc::no_space_on_device);
    CHECK(fs::is_empty(disk.path()));
}

TEST_CASE("a full file system refuses further records and changes nothing", "[fault-47][fault-48]")
{
    const tiny_tmpfs disk("size=256k");
    if (!disk) {
        return;
    }
    error_code ec;
    const auto file = segment_file::create("web", small(disk.path()), ec);
    REQUIRE(ec == error_code());
    const auto& plan = file->plan();
    auto& backed     = reinterpret_cast<segment_header*>(file->base())->sockets_backed;

    file->back(plan.sockets_offset, sizeof(socket_slot), plan.capacity.sockets, 999, backed, ec);
    CHECK(ec == std::errc::no_space_on_device);
    CHECK(backed == 0);
    std::memset(file->base(), 0, plan.handles_offset); // records that had pages have them still
}
