// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/ranked_mutex.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sharedsock::detail {

/// The mutexes of an attachment's handles: a handle has one of these, and shares it with others. The fork hook takes all of them.
/// It writes to no handle in the parent: after fork(2) the kernel would copy the page of each.
class handle_locks {
public:
    using mutex = ranked_mutex<lock_rank::handle>;

    /// The same for the same address.
    mutex& of(const void* handle) noexcept
    {
        const auto address = reinterpret_cast<std::uintptr_t>(handle);
        return all_[(address >> 4) * 0x9e37'79b9u >> 16 & (count - 1)].one;
    }
    void lock_all()
    {
        for (place& each : all_)
            each.one.lock();
    }
    void unlock_all() noexcept
    {
        for (place& each : all_)
            each.one.unlock();
    }

private:
    static constexpr std::size_t count = 32; // a power of two; a mutex is held for some instructions only
    struct alignas(64) place {               // a cache line: threads that use different handles do not meet there
        mutex one;
    };
    std::array<place, count> all_;
};

} // namespace sharedsock::detail
