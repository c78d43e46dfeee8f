// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "connection.hpp"

#include <array>
#include <atomic>
#include <cstddef>

#include <sys/types.h>

namespace handoff {

/// The process at each place, in memory that is shared with the children that are forked later.
class directory {
public:
    directory();
    ~directory();
    directory(const directory&)            = delete;
    directory& operator=(const directory&) = delete;

    std::atomic<pid_t>& operator[](place which) noexcept { return (*pids_)[static_cast<std::size_t>(which)]; }

private:
    using table = std::array<std::atomic<pid_t>, places>;
    static_assert(std::atomic<pid_t>::is_always_lock_free, "a hidden lock would be process-local");
    table* const pids_;
};

} // namespace handoff
