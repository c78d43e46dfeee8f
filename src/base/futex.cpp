// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/futex.hpp"

#include <cerrno>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sharedsock::detail::futex {
namespace {

void wake(const void* word, int count) noexcept { ::syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0); }

} // namespace

bool sleep_while(const void* word, std::uint32_t seen, std::chrono::nanoseconds limit) noexcept
{
    using namespace std::chrono;
    const nanoseconds until = steady_clock::now().time_since_epoch() + limit;
    const timespec end{duration_cast<seconds>(until).count(), static_cast<long>((until % seconds(1)).count())};
    long result = 0;
    do
        result = ::syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, &end, nullptr, FUTEX_BITSET_MATCH_ANY); // CLOCK_MONOTONIC
    while (result == -1 && errno == EINTR);
    return result == 0 || errno == EAGAIN; // ETIMEDOUT, or a filter of system calls denies it: then the caller looks for itself
}

void wake_one(const void* word) noexcept { wake(word, 1); }
void wake_all(const void* word) noexcept { wake(word, INT_MAX); }

} // namespace sharedsock::detail::futex
