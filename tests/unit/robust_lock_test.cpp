#include "store/robust_lock.hpp"

#include "support/catch.hpp"

#include <boost/interprocess/sync/scoped_lock.hpp>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using namespace sharedsock::detail;
using sharedsock::errc;
using sharedsock::error_code;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t processes = 8;
constexpr std::uint32_t waiters   = 0x8000'0000;

// Decides which processes are dead, and counts how often it is asked.
struct judge final : liveness_judge {
    bool gone(std::uint32_t index, std::uint32_t generation) const noexcept override
    {
        ++asked;
        return dead.contains({index, generation});
    }
    std::set<std::pair<std::uint32_t, std::uint32_t>> dead;
    mutable int asked = 0;
};

robust_lock lock_of(atomic_u32& word, const judge& who_lives, std::uint32_t index, std::uint32_t generation = 1)
{
    return {word, index, generation, who_lives, processes, 20ms};
}

constexpr std::uint32_t held_by(std::uint32_t index, std::uint32_t generation) { return generation << 16 | (index + 1); }

} // namespace

TEST_CASE("a lock names its holder while it is held, and no process after that")
{
    atomic_u32 word{0};
    const judge who_lives;
    robust_lock lock = lock_of(word, who_lives, 3, 0x18005);
    error_code ec    = errc::lock_timeout;
    lock.lock(ec);
    CHECK_FALSE(ec);
    CHECK(word == held_by(3, 5)); // 15 bits of the generation
    CHECK(robust_lock::names(word, 3));
    CHECK_FALSE(robust_lock::names(word, 2));
    CHECK_FALSE(lock.owner_died());
    CHECK_FALSE(lock_of(word, who_lives, 2).try_lock());
    lock.unlock();
    CHECK(word == 0);
    CHECK(who_lives.asked == 0);
}

TEST_CASE("a robust lock serves as the standard's and Boost's locks do")
{
    atomic_u32 word{0};
    const judge who_lives;
    robust_lock lock = lock_of(word, who_lives, 3);
    {
        const std::scoped_lock guard(lock);
        CHECK(word == held_by(3, 1));
    }
    {
        const boost::interprocess::scoped_lock<robust_lock> guard(lock);
        CHECK(word == held_by(3, 1));
    }
    CHECK(word == 0);
}

TEST_CASE("a second lock by the same thread is an error and not a hang", "[fault-30]")
{
    atomic_u32 word{0};
    const judge who_lives;
    robust_lock lock = lock_of(word, who_lives, 3), again = lock_of(word, who_lives, 3);
    error_code ec;
    lock.lock(ec);
    again.lock(ec);
    CHECK(ec == errc::would_deadlock);
    CHECK_THROWS_AS(again.lock(), boost::system::system_error);
    lock.unlock();
    again.lock(ec);
    CHECK_FALSE(ec);
    again.unlock();
}

TEST_CASE("a holder that lives is waited for, as long as the patience lasts")
{
    atomic_u32 word{held_by(2, 1)};
    const judge who_lives;
    robust_lock lock = lock_of(word, who_lives, 3);
    const auto start = std::chrono::steady_clock::now();
    error_code ec;
    lock.lock(ec);
    CHECK(ec == errc::lock_timeout);
    CHECK(std::chrono::steady_clock::now() - start >= 20ms);
    CHECK((word & ~waiters) == held_by(2, 1));
    CHECK(who_lives.asked >= 2); // at first, and after a slice in silence
}

TEST_CASE("a lock whose holder died is taken over and says so, once")
{
    atomic_u32 word{held_by(2, 1)};
    judge who_lives;
    who_lives.dead.insert({2, 1});
    robust_lock lock = lock_of(word, who_lives, 3);
    error_code ec;
    lock.lock(ec);
    CHECK_FALSE(ec);
    CHECK(lock.owner_died());
    lock.unlock();
    lock.lock(ec);
    CHECK_FALSE(lock.owner_died());
    lock.unlock();
}

TEST_CASE("a lock of the former incarnation of this index is taken over, one of this incarnation is not", "[fault-35]")
{
    const judge who_lives;
    atomic_u32 word{held_by(3, 1)};
    error_code ec;
    robust_lock mine = lock_of(word, who_lives, 3, 2);
    mine.lock(ec);
    CHECK_FALSE(ec);
    CHECK(mine.owner_died());

    error_code other; // another thread of the same process
    std::thread([&] { lock_of(word, who_lives, 3, 2).lock(other); }).join();
    CHECK(other == errc::lock_timeout);
    mine.unlock();
    CHECK(who_lives.asked == 0); // this process's own life needs no judge
}

TEST_CASE("a process that takes a lock over wakes the waiters when it unlocks")
{
    atomic_u32 word{0};
    const judge who_lives;
    robust_lock lock = lock_of(word, who_lives, 3);
    error_code ec;
    lock.lock(ec);
    std::thread other([&] {
        error_code failed;
        robust_lock later = lock_of(word, who_lives, 4);
        do {
            later.lock(failed);
        } while (failed);
        later.unlock();
    });
    while ((word & waiters) == 0) {
        std::this_thread::yield();
    }
    lock.unlock();
    other.join();
    CHECK(word == 0);
}

TEST_CASE("threads of several processes exclude each other")
{
    atomic_u32 word{0};
    const judge who_lives;
    int counter = 0;
    std::vector<std::thread> threads;
    for (std::uint32_t process = 0; process < 4; ++process) {
        threads.emplace_back([&, process] {
            const judge own;
            robust_lock lock(word, process, 1, own, processes, 20s);
            for (int round = 0; round < 2'000; ++round) {
                const std::scoped_lock guard(lock);
                ++counter;
            }
        });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    CHECK(counter == 8'000);
}

TEST_CASE("a lock word that names no possible process is taken over, whatever it is", "[fault-57]")
{
    judge who_lives;
    std::mt19937 random(1);
    int taken = 0, waited = 0;
    for (int round = 0; round < 3'000; ++round) {
        std::uint32_t garbage = static_cast<std::uint32_t>(random());
        if (round % 100 == 0) {
            garbage = (garbage & ~0xffffu) | (random() % processes + 1);
        }
        atomic_u32 word{garbage};
        robust_lock lock(word, 3, 1, who_lives, processes, 1ms);
        error_code ec;
        lock.lock(ec);
        const std::uint32_t holder = (garbage & 0xffff) - 1;
        if (ec) {
            REQUIRE(ec == errc::lock_timeout);
            REQUIRE(holder < processes);
            ++waited;
        } else {
            REQUIRE((garbage == 0 || lock.owner_died()));
            lock.unlock();
            REQUIRE(word == 0);
            ++taken;
        }
    }
    CHECK(taken > 2'000);
    CHECK(waited > 0);
}
