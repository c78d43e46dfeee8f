// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <atomic>
#include <cstdint>

namespace sharedsock::detail {

/// A std::mutex in four bytes: a lock that is free costs two instructions instead of fifty, and one that is taken a futex(2). Not
/// recursive, for the threads of one process. fork(2): the child may unlock what the forking thread has locked.
class light_mutex {
public:
    void lock() noexcept
    {
        if (!try_lock()) [[unlikely]]
            wait();
    }
    bool try_lock() noexcept
    {
        std::uint32_t state = unlocked;
        return state_.compare_exchange_strong(state, locked, std::memory_order_acquire, std::memory_order_relaxed);
    }
    void unlock() noexcept
    {
        if (state_.exchange(unlocked, std::memory_order_release) == awaited) [[unlikely]]
            wake();
    }

private:
    enum : std::uint32_t { unlocked, locked, awaited }; // awaited: locked, and perhaps a thread sleeps until it is unlocked
    void wait() noexcept;
    void wake() noexcept;

    std::atomic<std::uint32_t> state_{unlocked};
};

} // namespace sharedsock::detail
