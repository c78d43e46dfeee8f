// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/light_mutex.hpp"
#include "base/lock_rank.hpp"

namespace sharedsock::detail {

/// A debug build checks the order of locks (docs/concurrency.md): it says which two locks a thread took in the wrong order, and
/// aborts. SHAREDSOCK_CHECK_LOCK_RANKS turns it on, for all sources of a build alike; without it all of this is empty,
/// and `ranked_mutex` is `light_mutex`.
namespace lock_ranks {

#ifdef SHAREDSOCK_CHECK_LOCK_RANKS
void about_to_take(lock_rank rank) noexcept; ///< aborts if this thread holds a lock of that rank or of a higher one
void taken(lock_rank rank) noexcept;
void released(lock_rank rank) noexcept;
/// Aborts if this thread holds any lock. `what` names the action that must not begin then, for the message.
void expect_none(const char* what) noexcept;
void begin_group(lock_rank_group group) noexcept;
void end_group() noexcept;
void set_alone(bool alone) noexcept;
#else
inline void about_to_take(lock_rank) noexcept {}
inline void taken(lock_rank) noexcept {}
inline void released(lock_rank) noexcept {}
inline void expect_none(const char*) noexcept {}
inline void begin_group(lock_rank_group) noexcept {}
inline void end_group() noexcept {}
inline void set_alone(bool) noexcept {}
#endif

/// While it exists, this thread counts as the holder of a lock of that rank: one that other code has taken, such as Asio.
class under {
public:
    explicit under(lock_rank rank) noexcept : rank_(rank) { taken(rank); }
    ~under() { released(rank_); }
    under(const under&)            = delete;
    under& operator=(const under&) = delete;

private:
    const lock_rank rank_;
};

/// While it exists, this thread may take any number of locks of the group: all locks of one member of the fork registry, member
/// after member, in the registry's order. They stay held when it ends.
class whole_group {
public:
    explicit whole_group(lock_rank_group group) noexcept { begin_group(group); }
    ~whole_group() { end_group(); }
    whole_group(const whole_group&)            = delete;
    whole_group& operator=(const whole_group&) = delete;
};

/// While it exists, this thread is the only one of its process: a child in its fork hook. No order of locks is checked.
class only_thread {
public:
    only_thread() noexcept { set_alone(true); }
    ~only_thread() { set_alone(false); }
    only_thread(const only_thread&)            = delete;
    only_thread& operator=(const only_thread&) = delete;
};

} // namespace lock_ranks

#ifdef SHAREDSOCK_CHECK_LOCK_RANKS
/// A mutex that may be taken only by a thread that holds no lock of its rank or of a higher one.
template <lock_rank Rank>
class ranked_mutex {
public:
    void lock()
    {
        lock_ranks::about_to_take(Rank);
        mutex_.lock();
        lock_ranks::taken(Rank);
    }
    bool try_lock() // never waits, so no order of it can be wrong
    {
        if (!mutex_.try_lock()) return false;
        lock_ranks::taken(Rank);
        return true;
    }
    void unlock()
    {
        lock_ranks::released(Rank);
        mutex_.unlock();
    }

private:
    light_mutex mutex_;
};
static_assert(sizeof(ranked_mutex<lock_rank::attachment>) == sizeof(light_mutex), "the check changes no type's size");
#else
template <lock_rank>
using ranked_mutex = light_mutex;
#endif

} // namespace sharedsock::detail
