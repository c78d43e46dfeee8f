// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/ranked_mutex.hpp"

#ifdef SHAREDSOCK_CHECK_LOCK_RANKS

#include "base/held_ranks.hpp"

#include <cstdio>
#include <cstdlib>

namespace sharedsock::detail::lock_ranks {
namespace {

// fork(2) copies it to the child, whose one thread holds what the forking thread held.
constinit thread_local held_ranks mine;

[[noreturn]] void give_up(const char* what, lock_rank held) noexcept
{
    std::fprintf(stderr, "sharedsock: lock order: %s while this thread holds %s (docs/concurrency.md)\n", what, name_of(held));
    std::abort();
}

} // namespace

void about_to_take(lock_rank rank) noexcept
{
    const auto held = mine.in_the_way_of(rank);
    if (!held) return;
    char what[64];
    std::snprintf(what, sizeof what, "%s is taken", name_of(rank));
    give_up(what, *held);
}

void taken(lock_rank rank) noexcept { mine.taken(rank); }
void released(lock_rank rank) noexcept { mine.released(rank); }

void expect_none(const char* what) noexcept
{
    if (const auto held = mine.highest_held()) give_up(what, *held);
}

void begin_group(lock_rank_group group) noexcept { mine.begin_group(group); }
void end_group() noexcept { mine.end_group(); }
void set_alone(bool alone) noexcept { mine.set_alone(alone); }

} // namespace sharedsock::detail::lock_ranks

#endif
