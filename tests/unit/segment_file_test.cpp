// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "segment_file.hpp"

#include "life_lock.hpp"
#include "segment_place.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/unique_name.hpp"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace fs = std::filesystem;

using namespace sharedsock::detail;
using sharedsock::errc;
using sharedsock::error_code;
using sharedsock::segment_options;

// Builds in the directory given, and pauses before the segment has its name.
SHAREDSOCK_CHILD_ROLE("creator that never ends")
{
    error_code ec;
    const segment_place place(role.args.at(0), {}, ec);
    const new_directory unfinished(place, ec);
    const unique_fd memory(::openat(unfinished.native_handle(), "memory", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    role.say(ec ? ec.message() : "building");
    role.hear();
    return 0;
}

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

SHAREDSOCK_CHILD_ROLE("holder of life byte 0")
{
    error_code ec;
    const unique_fd directory(::open(role.args.at(0).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto life = life_lock::open(directory.get(), 1, ec);
    role.say(life->take(0, ec) ? "attached" : "refused");
    role.hear();
    return 0;
}

namespace {

segment_options small(const fs::path& directory)
{
    segment_options options;
    options.sockets   = 1'000;
    options.processes = 300;
    options.directory = directory;
    return options;
}

// A place of its own for segments, and what a person with a hex editor can do there.
struct segment_home {
    test::scratch_directory scratch;
    segment_options options = small(scratch.path());
    error_code ec;

    fs::path entry(const std::string& name) const { return scratch.path() / (entry_prefix() + name); }
    fs::path memory(const std::string& name) const { return entry(name) / "memory"; }

    std::unique_ptr<segment_file> create(const std::string& name)
    {
        auto file = segment_file::create(name, options, ec);
        REQUIRE(ec == error_code());
        return file;
    }

    error_code open_error(const std::string& name)
    {
        const auto file = segment_file::open(name, options, ec);
        CHECK((file == nullptr) == ec.failed());
        return ec;
    }

    std::vector<std::string> contents() const // hidden names as well
    {
        std::vector<std::string> names;
        for (const auto& each : fs::directory_iterator(scratch.path())) {
            names.push_back(each.path().filename());
        }
        return names;
    }

    template <typename Value>
    void overwrite(const std::string& name, std::size_t offset, const Value& value) const
    {
        std::fstream file(memory(name), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(offset));
        file.write(reinterpret_cast<const char*>(&value), sizeof value);
        REQUIRE(file.good());
    }

    void age(const std::string& name) const // as if it had been made before the last boot
    {
        overwrite(name, offsetof(segment_header, boot_id), std::uint64_t{0x0123'4567'89ab'cdef});
    }
};

mode_t mode_of(const fs::path& path)
{
    struct stat status;
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

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
            WARN("not tested: this process may not mount a tmpfs");
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

TEST_CASE("files are private whatever the umask", "[fault-62]")
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
    }
}

TEST_CASE("every descriptor of a segment closes on exec", "[G11]")
{
    segment_home home;
    const auto file = home.create("web");
    CHECK((::fcntl(file->memory(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(file->directory(), F_GETFD) & FD_CLOEXEC) != 0);
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

TEST_CASE("of several creators one creates", "[fault-77]")
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
    CHECK(home.open_error("web") == error_code(ENOENT, boost::system::system_category()));
    segment_file::create("web", home.options, home.ec);
    CHECK(home.ec == error_code(ENOENT, boost::system::system_category()));
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

TEST_CASE("a header that nobody could have written is refused, never used", "[fault-53][G10]")
{
    std::uint8_t boot_id[16] = {};
    segment_header header{};
    const auto fill = [&](int byte) { std::memset(static_cast<void*>(&header), byte, sizeof header); };
    for (int byte = 0; byte < 256; ++byte) {
        fill(byte);
        CHECK(check_header(header, 1 << 20, boot_id) == errc::not_a_segment);
    }
}

TEST_CASE("a boot id that nobody knows is no reason to refuse a segment")
{
    segment_home home;
    home.create("web");
    std::uint8_t unknown[16] = {};
    home.overwrite("web", offsetof(segment_header, boot_id), unknown);
    CHECK(home.open_error("web") == error_code());
}

TEST_CASE("what is no directory under a segment's name is refused and left alone", "[fault-60]")
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

TEST_CASE("what is no regular file in place of the memory is refused without blocking", "[fault-60]")
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
    }
    CHECK(home.open_error("web") == errc::foreign_segment);
}

TEST_CASE("remove never enters another user's directory", "[fault-60]")
{
    if (::geteuid() != 0) {
        WARN("not tested: needs root to give a directory away");
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
    file->base()[page] = std::byte{1}; // whoever has it mapped goes on with it

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
    CHECK(home.contents().empty());
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

TEST_CASE("what a dead creator left is removed by the next one, what a live one builds is not", "[fault-3][fault-52]")
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
    CHECK(segment_file::list(home.options.directory, home.ec) == std::vector<std::string>{"mail", "web"});
}

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

TEST_CASE("backing never lowers what another process has backed")
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
    std::memset(file->base(), 0, plan.handles_offset); // what had pages has them still
}

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

    mine->remove_if_unnamed();
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
    const auto life = life_lock::open(file->directory(), 1, home.ec);
    REQUIRE(life->take(0, home.ec));
    file->remove_if_unnamed();
    CHECK(file->still_named(home.ec));
    life->give(0);
    file->remove_if_unnamed();
    CHECK_FALSE(file->still_named(home.ec));
}

TEST_CASE("what a crash left of an unnamed segment is listed and can be removed")
{
    segment_home home;
    segment_file::create_unnamed(home.options, home.ec);
    const auto names = segment_file::list(home.options.directory, home.ec);
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
    file->remove_if_unnamed();
    CHECK(file->still_named(home.ec));
}
