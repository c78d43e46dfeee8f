#include "base/unique_fd.hpp"
#include "ipc/doorbell.hpp"
#include "member/membership.hpp"
#include "store/liveness_lock.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/unique_name.hpp"
#include "tables/table_view.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace sharedsock::detail;
using sharedsock::errc;
using sharedsock::error_code;
using namespace std::chrono_literals;

namespace {

constexpr capacities sizes{.processes = 4, .names = 1, .handles = 4, .sockets = 4};
constexpr auto plan             = segment_plan::of(sizes);
constexpr std::uint32_t waiters = 0x8000'0000;

// One process's side of a segment in the directory of a test, which processes find by its path.
struct party {
    party(const std::string& path, std::chrono::nanoseconds patience)
        : directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
          bytes(map(directory.get()), plan),
          life(liveness_lock::open(directory.get(), sizes.processes)),
          self(bytes, *life, bells, pages, patience)
    {
        bytes.header->handles_backed = sizes.handles;
        bytes.header->sockets_backed = sizes.sockets;
        self.attach(ec);
    }
    ~party() { ::munmap(bytes.header, plan.size_bytes); }

    static std::byte* map(int directory)
    {
        // The file is closed again before any byte of it is locked: a later close would drop the lock.
        const unique_fd lives(::openat(directory, liveness_file_name(0).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        const unique_fd file(::openat(directory, "memory", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (::ftruncate(file.get(), static_cast<off_t>(plan.size_bytes)) != 0) {
            throw std::system_error(errno, std::generic_category(), "ftruncate");
        }
        void* const memory = ::mmap(nullptr, plan.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
        if (memory == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "mmap");
        }
        return static_cast<std::byte*>(memory);
    }

    std::string lock()
    {
        held.emplace(self.name_lock());
        held->lock(ec);
        return ec == errc::lock_timeout ? "timeout" : ec ? ec.message() : held->owner_died() ? "owner died" : "locked";
    }
    void unlock() { held->unlock(); }
    atomic_u32& word() { return bytes.header->names_lock; }

    struct all_backed final : page_source {
        void back_handle(std::uint32_t, error_code&) noexcept override {}
        void back_socket(std::uint32_t, error_code&) noexcept override {}
    } pages;
    error_code ec;
    unique_fd directory;
    table_view bytes;
    std::shared_ptr<liveness_lock> life;
    doorbells bells{directory.get(), sizes.processes};
    membership self;
    std::optional<robust_lock> held;
};

} // namespace

// Arguments: directory. Verbs: lock, unlock, who.
SHAREDSOCK_CHILD_ROLE("holds a robust lock")
{
    party own(role.args.at(0), 10s);
    return role.serve({
        {"lock", [&](const std::string&) { return own.lock(); }},
        {"unlock",
         [&](const std::string&) {
             own.unlock();
             return std::string("unlocked");
         }},
        {"who", [&](const std::string&) { return to_string(own.self.self()); }},
    });
}

TEST_CASE("a process that locks after the death of the holder gets the lock, and is told", "[fault-11][G7]")
{
    test::scratch_directory scratch;
    party own(scratch.path(), 10s);
    test::child_process holder("holds a robust lock", {scratch.path()});
    REQUIRE(holder.ask("lock") == "locked");
    holder.kill(SIGKILL);
    REQUIRE(holder.wait() == -SIGKILL);
    CHECK(own.lock() == "owner died");
    own.unlock();
    CHECK(own.lock() == "locked");
    own.unlock();
}

TEST_CASE("a process that waits while the holder dies gets the lock, and is told", "[G7]")
{
    test::scratch_directory scratch;
    test::child_process holder("holds a robust lock", {scratch.path()}), waiter("holds a robust lock", {scratch.path()});
    party own(scratch.path(), 10s);
    REQUIRE(holder.ask("lock") == "locked");
    waiter.tell("lock");
    REQUIRE(test::eventually([&] { return (own.word() & waiters) != 0; }));
    holder.kill(SIGKILL);
    CHECK(waiter.line() == "owner died");
}

TEST_CASE("a stopped holder keeps its lock: others wait as long as their patience lasts", "[fault-11]")
{
    test::scratch_directory scratch;
    party own(scratch.path(), 50ms);
    test::child_process holder("holds a robust lock", {scratch.path()});
    REQUIRE(holder.ask("lock") == "locked");
    holder.stop();
    CHECK(own.lock() == "timeout");
    holder.resume();
    CHECK(holder.ask("unlock") == "unlocked");
    CHECK(own.lock() == "locked");
    own.unlock();
}

TEST_CASE("a waiter that is killed when it was just woken keeps the lock from no other waiter", "[fault-8]")
{
    test::scratch_directory scratch;
    party own(scratch.path(), 10s);
    const int rounds = std::getenv("SHAREDSOCK_TEST_LONG") != nullptr ? 300 : 20;
    for (int round = 0; round < rounds; ++round) {
        const std::string before = own.lock();
        REQUIRE((before == "locked" || before == "owner died"));
        test::child_process victim("holds a robust lock", {scratch.path()}), next("holds a robust lock", {scratch.path()});
        victim.tell("lock");
        REQUIRE(test::eventually([&] { return (own.word() & waiters) != 0; }));
        next.tell("lock");
        own.unlock();
        victim.kill(SIGKILL);
        const std::string got = next.line();
        CHECK((got == "locked" || got == "owner died"));
    }
}

TEST_CASE("a process that gets the index of a dead lock holder is not taken for it", "[fault-35]")
{
    test::scratch_directory scratch;
    party own(scratch.path(), 10s);
    std::string first;
    {
        test::child_process holder("holds a robust lock", {scratch.path()});
        first = holder.ask("who");
        REQUIRE(holder.ask("lock") == "locked");
        holder.kill(SIGKILL);
        REQUIRE(holder.wait() == -SIGKILL);
    }
    std::vector<std::unique_ptr<test::child_process>> others; // at all the other indexes first
    std::string successor;
    for (std::uint32_t index = 1; index < sizes.processes; ++index) {
        others.push_back(std::make_unique<test::child_process>("holds a robust lock", std::vector<std::string>{scratch.path()}));
        successor = others.back()->ask("who");
    }
    REQUIRE(successor.substr(0, 2) == first.substr(0, 2)); // the same index
    CHECK(successor != first);                             // another generation
    CHECK_FALSE(robust_lock::names(own.word(), 1));
    CHECK(own.lock() == "locked");
    own.unlock();
}
