// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Segments are made and opened, or refused: for their names, their capacities, or other files in their place.
#include "store/segment_file.hpp"

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/skip.hpp"
#include "unit/segment_home.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

using namespace sharedsock::detail;
using sharedsock::errc;
using sharedsock::error_code;
using sharedsock::segment_options;
using test::segment_home;

SHAREDSOCK_CHILD_ROLE("creator of one segment")
{
    role.say("ready");
    role.hear();
    segment_options options;
    options.directory = role.args.at(0);
    error_code ec;
    segment_file::create("one", options, ec);
    role.say(ec ? ec.message() : "created");
    return 0;
}

namespace {

mode_t mode_of(const fs::path& path)
{
    struct stat status;
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

} // namespace

TEST_CASE("a created segment can be opened, and its bytes are common")
{
    segment_home home;
    const auto mine  = home.create("web");
    const auto other = segment_file::open("web", home.options, home.ec);
    REQUIRE(home.ec == error_code());

    CHECK(other->name() == "web");
    CHECK(std::memcmp(&mine->plan(), &other->plan(), sizeof(segment_plan)) == 0);
    CHECK(mine->base() != other->base());
    mine->base()[page] = std::byte{42};
    CHECK(other->base()[page] == std::byte{42});
    CHECK(other->still_named(home.ec));
}

TEST_CASE("the capacities of a segment are those that were asked for")
{
    segment_home home;
    const capacities capacity = home.create("web")->plan().capacity;
    CHECK(capacity.sockets == 1'000);
    CHECK(capacity.processes == 300);
    CHECK(capacity.handles == 2 * 1'000 + 4 * 300);
    CHECK(capacity.names == 1'000);
}

TEST_CASE("capacities out of range are refused before anything is made")
{
    segment_home home;
    const auto refuses = [&](std::uint32_t sockets, std::uint32_t processes, std::uint32_t handles) {
        home.options.sockets   = sockets;
        home.options.processes = processes;
        home.options.handles   = handles;
        segment_file::create("web", home.options, home.ec);
        return home.ec == errc::bad_capacity;
    };
    CHECK(refuses(0, 1, 0));
    CHECK(refuses(1, 0, 0));
    CHECK(refuses(max_sockets + 1, 1, 0));
    CHECK(refuses(1, max_processes + 1, 0));
    CHECK(refuses(1, 1, max_handles + 1));
    CHECK(refuses(0xffff'ffff, 0xffff'ffff, 0xffff'ffff));
    CHECK(home.contents().empty());
}

TEST_CASE("the files of a segment are private with any umask", "[fault-62]")
{
    for (const mode_t mask : {0000u, 0077u, 0777u}) {
        segment_home home;
        const mode_t before = ::umask(mask);
        const auto file     = segment_file::create("web", home.options, home.ec);
        ::umask(before);
        REQUIRE(home.ec == error_code());
        CHECK(mode_of(home.entry("web")) == 0700);
        CHECK(mode_of(home.memory("web")) == 0600);
        CHECK(mode_of(home.entry("web") / "life.0") == 0600);
        CHECK(mode_of(home.entry("web") / "life.1") == 0600);
        CHECK(mode_of(home.entry("web") / "bell.all") == 0600);
        CHECK(mode_of(home.entry("web") / "ways") == 0777); // behind the gate
    }
}

TEST_CASE("every descriptor of a segment closes on exec", "[G11]")
{
    segment_home home;
    const auto file = home.create("web");
    CHECK((::fcntl(file->memory(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(file->directory(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(file->ways(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a name is 1 to 64 harmless characters")
{
    segment_home home;
    const std::string bad_names[] = {"",      "../up",     "a/b",        ".hidden",           "-option",
                                     "@uuid", "two words", {"nul\0", 4}, std::string(65, 'x')};
    for (const auto& name : bad_names) {
        INFO(name);
        segment_file::create(name, home.options, home.ec);
        CHECK(home.ec == errc::bad_segment_name);
        CHECK(home.open_error(name) == errc::bad_segment_name);
        segment_file::remove(name, home.options, true, home.ec);
        CHECK(home.ec == errc::bad_segment_name);
    }
    home.create(std::string(64, 'x'));
    home.create("0.a_B-9");
}

TEST_CASE("a name that is taken by an intact segment stays with it")
{
    segment_home home;
    const auto first = home.create("web");
    segment_file::create("web", home.options, home.ec);
    CHECK(home.ec == errc::segment_exists);
    CHECK(first->still_named(home.ec));
    CHECK(home.contents().size() == 1);
}

TEST_CASE("one of several creators at once makes the segment", "[fault-77]")
{
    segment_home home;
    std::vector<test::child_process> creators;
    for (int i = 0; i < 4; ++i) {
        creators.emplace_back("creator of one segment", std::vector<std::string>{home.options.directory});
        creators.back().wait_for("ready");
    }
    for (auto& creator : creators) {
        creator.tell("go");
    }
    int created = 0;
    for (auto& creator : creators) {
        created += creator.line() == "created";
    }
    CHECK(created == 1);
    CHECK(home.contents().size() == 1);
    CHECK(home.open_error("one") == error_code());
}

TEST_CASE("creators and removers of one name leave nothing half made")
{
    segment_home home;
    const auto churn = [&] {
        error_code ec;
        for (int i = 0; i < 100; ++i) {
            if (const auto file = segment_file::open("web", home.options, ec); !file && ec != errc::segment_not_found) {
                return ec;
            }
            if (const auto file = segment_file::create("web", home.options, ec); !file && ec != errc::segment_exists) {
                return ec;
            }
            if (!segment_file::remove("web", home.options, i % 2 == 0, ec) && ec) {
                return ec;
            }
        }
        return error_code();
    };
    error_code other;
    std::thread thread([&] { other = churn(); });
    const error_code own = churn();
    thread.join();
    CHECK(own == error_code());
    CHECK(other == error_code());
    segment_file::remove("web", home.options, true, home.ec);
    CHECK(home.contents().empty());
}

TEST_CASE("a missing segment and a missing directory are told apart")
{
    segment_home home;
    CHECK(home.open_error("web") == errc::segment_not_found);
    home.options.directory += "/nowhere";
    CHECK(home.open_error("web") == errc::directory_not_found);
    segment_file::create("web", home.options, home.ec);
    CHECK(home.ec == errc::directory_not_found);
}

TEST_CASE("a header that is wrong in one field is refused for that field", "[fault-53][fault-54][fault-55][G10]")
{
    const auto refusal = [](std::size_t offset, const auto& value) {
        segment_home home;
        home.create("web");
        home.overwrite("web", offset, value);
        return home.open_error("web");
    };
    const std::uint32_t none    = 0;
    const std::uint32_t endless = 0xffff'ffff;

    CHECK(refusal(offsetof(segment_header, magic), std::uint64_t{0}) == errc::not_a_segment);
    CHECK(refusal(offsetof(segment_header, magic), segment_magic ^ 1) == errc::not_a_segment);
    CHECK(refusal(offsetof(segment_header, magic), __builtin_bswap64(segment_magic)) == errc::other_byte_order);
    CHECK(refusal(offsetof(segment_header, endian), __builtin_bswap32(endian_mark)) == errc::other_byte_order);
    CHECK(refusal(offsetof(segment_header, version), layout_version + 1) == errc::other_layout);
    CHECK(refusal(offsetof(segment_header, layout_hash), layout_hash ^ 1) == errc::other_layout);
    for (std::size_t field = 0; field < sizeof(capacities); field += sizeof(std::uint32_t)) {
        CHECK(refusal(offsetof(segment_header, capacity) + field, none) == errc::segment_damaged);
        CHECK(refusal(offsetof(segment_header, capacity) + field, endless) == errc::segment_damaged);
    }
    CHECK(refusal(offsetof(segment_header, capacity.sockets), max_sockets) == errc::segment_damaged);
    CHECK(refusal(offsetof(segment_header, size_bytes), std::uint64_t{page}) == errc::segment_damaged);
    CHECK(refusal(offsetof(segment_header, size_bytes), ~std::uint64_t{0}) == errc::segment_damaged);
    CHECK(refusal(offsetof(segment_header, boot_id), std::uint64_t{1}) == errc::stale_segment);
    CHECK(refusal(offsetof(segment_header, unnamed), std::uint32_t{1}) == errc::not_a_segment);
    CHECK(refusal(offsetof(segment_header, handles_backed), endless) == errc::segment_damaged);
    CHECK(refusal(offsetof(segment_header, sockets_backed), std::uint32_t{1'001}) == errc::segment_damaged);
}

TEST_CASE("a header whose capacities lie in agreement with each other does not fit the file", "[fault-53][G10]")
{
    segment_home home;
    home.create("web");
    auto lie = capacities{300, 1'000, 3'200, max_sockets};
    home.overwrite("web", offsetof(segment_header, capacity), lie);
    home.overwrite("web", offsetof(segment_header, size_bytes), segment_plan::of(lie).size_bytes);
    CHECK(home.open_error("web") == errc::truncated_segment);

    lie.sockets = 1;
    home.overwrite("web", offsetof(segment_header, capacity), lie);
    home.overwrite("web", offsetof(segment_header, size_bytes), segment_plan::of(lie).size_bytes);
    CHECK(home.open_error("web") == errc::segment_damaged);
}

TEST_CASE("a file of any other length is refused", "[fault-51][fault-52][G10]")
{
    segment_home home;
    const std::uint64_t size = home.create("web")->plan().size_bytes;
    for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{1}, page - 1, std::uint64_t{page}, size - 1}) {
        fs::resize_file(home.memory("web"), wrong);
        CHECK(home.open_error("web").failed());
        CHECK(home.ec != errc::segment_damaged);
    }
    fs::resize_file(home.memory("web"), 0);
    CHECK(home.open_error("web") == errc::truncated_segment);
    fs::resize_file(home.memory("web"), size);
    CHECK(home.open_error("web") == errc::not_a_segment); // all zero now
}

TEST_CASE("a header that no process could have written is refused, never used", "[fault-53][G10]")
{
    std::uint8_t boot_id[16] = {};
    segment_header header{};
    const auto fill = [&](int byte) { std::memset(static_cast<void*>(&header), byte, sizeof header); };
    for (int byte = 0; byte < 256; ++byte) {
        fill(byte);
        CHECK(check_header(header, 1 << 20, boot_id) == errc::not_a_segment);
    }
}

TEST_CASE("an unknown boot id is no reason to refuse a segment")
{
    segment_home home;
    home.create("web");
    std::uint8_t unknown[16] = {};
    home.overwrite("web", offsetof(segment_header, boot_id), unknown);
    CHECK(home.open_error("web") == error_code());
}

TEST_CASE("a file that is no directory under a segment's name is refused and left alone", "[fault-60]")
{
    segment_home home;
    const auto elsewhere = home.scratch.path() / "elsewhere";
    fs::create_directory(elsewhere);
    SECTION("a symbolic link to a directory") { fs::create_directory_symlink(elsewhere, home.entry("web")); }
    SECTION("a regular file") { std::ofstream(home.entry("web")) << "text"; }
    SECTION("a FIFO") { REQUIRE(::mkfifo(home.entry("web").c_str(), 0600) == 0); }

    CHECK(home.open_error("web") == errc::not_a_segment);
    segment_file::create("web", home.options, home.ec);
    CHECK(home.ec == errc::not_a_segment);
    CHECK_FALSE(segment_file::remove("web", home.options, true, home.ec));
    CHECK(home.ec == errc::not_a_segment);
    CHECK(fs::exists(fs::symlink_status(home.entry("web"))));
    CHECK(fs::exists(elsewhere));
}

TEST_CASE("a file that is not regular in place of the memory is refused without blocking", "[fault-60]")
{
    segment_home home;
    home.create("web");
    const auto memory = home.memory("web");
    fs::rename(memory, home.scratch.path() / "real");
    SECTION("a symbolic link to the real one") { fs::create_symlink(home.scratch.path() / "real", memory); }
    SECTION("a FIFO") { REQUIRE(::mkfifo(memory.c_str(), 0600) == 0); }
    SECTION("a directory") { fs::create_directory(memory); }
    SECTION("nothing") {}
    CHECK(home.open_error("web") == errc::not_a_segment);
}

TEST_CASE("a segment that others may use or that belongs to another user is refused", "[fault-60][fault-61]")
{
    segment_home home;
    home.create("web");
    SECTION("a directory that the group may read") { fs::permissions(home.entry("web"), fs::perms(0750)); }
    SECTION("a memory that others may write") { fs::permissions(home.memory("web"), fs::perms(0602)); }
    if (::geteuid() == 0) {
        SECTION("a directory of another user") { REQUIRE(::chown(home.entry("web").c_str(), 65534, 65534) == 0); }
        SECTION("a memory of another user") { REQUIRE(::chown(home.memory("web").c_str(), 65534, 65534) == 0); }
    } else {
        test::skip("only root can give a file to another user, so only the modes are tested");
    }
    CHECK(home.open_error("web") == errc::foreign_segment);
}
