// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/futex.hpp"

#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <thread>

#include <sys/time.h>

namespace futex = sharedsock::detail::futex;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::nanoseconds for_ever = 1h;

volatile std::sig_atomic_t signals = 0;
void count_signal(int) { signals = signals + 1; }

// SIGALRM every millisecond, without SA_RESTART, to this process.
class alarms {
public:
    alarms()
    {
        struct sigaction action {};
        action.sa_handler = count_signal;
        ::sigaction(SIGALRM, &action, &before_);
        const itimerval every{{0, 1'000}, {0, 1'000}};
        ::setitimer(ITIMER_REAL, &every, nullptr);
    }
    ~alarms()
    {
        const itimerval never{};
        ::setitimer(ITIMER_REAL, &never, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }

private:
    struct sigaction before_ {};
};

} // namespace

TEST_CASE("no thread sleeps for a word that has changed since it was seen")
{
    const std::atomic<std::uint32_t> word{2};
    CHECK(futex::sleep_while(&word, 1, for_ever));
}

TEST_CASE("a sleeping thread is woken when the word has changed")
{
    std::atomic<std::uint32_t> word{1};
    const auto sleep = [&word] {
        while (word.load() == 1)
            futex::sleep_while(&word, 1, for_ever);
    };
    std::thread one(sleep), other(sleep);
    word = 2;
    futex::wake_all(&word);
    one.join();
    other.join();
    CHECK(word == 2);
}

TEST_CASE("signals neither end a sleep nor prolong it for ever")
{
    const std::atomic<std::uint32_t> word{1};
    const alarms ring;
    signals          = 0;
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(futex::sleep_while(&word, 1, 50ms));
    CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
    CHECK(signals > 0); // TSan delays them until the sleep ends, and then delivers one
}
