// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>

#include <sys/mman.h>

namespace accept_bench {

inline constexpr std::size_t max_workers = 16;

/// The counts of one worker, in memory that its parent reads. Only that worker writes them.
struct alignas(64) worker_counters {
    std::atomic<std::uint64_t> accepts{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> wakes{0};    ///< returns of epoll_wait
    std::atomic<std::uint64_t> wasted{0};   ///< of them: no connection, no request and no end of a connection came of it
    std::atomic<std::uint64_t> hands_on{0}; ///< changes of the place in the accept queue, or of the owner
};

inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t more = 1) noexcept
{
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

/// A value in memory that forked children share.
template <class Value>
class shared_value {
public:
    shared_value() : place_(::mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
    {
        if (place_ == MAP_FAILED) throw std::bad_alloc();
        new (place_) Value();
    }
    ~shared_value() { ::munmap(place_, sizeof(Value)); }
    shared_value(const shared_value&)            = delete;
    shared_value& operator=(const shared_value&) = delete;
    Value& operator*() const noexcept { return *static_cast<Value*>(place_); }
    Value* operator->() const noexcept { return static_cast<Value*>(place_); }

private:
    void* place_;
};

using all_counters = std::array<worker_counters, max_workers>;

} // namespace accept_bench
