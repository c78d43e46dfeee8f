// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace prefork_http {

/// The counts of the workers that had one place in turn. Each worker writes its own place's; all processes may read.
struct alignas(64) score {
    std::atomic<pid_t> pid{0};              ///< the worker that has the place now
    std::atomic<std::uint32_t> starts{0};   ///< how many workers have had it
    std::atomic<std::uint32_t> open{0};     ///< connections now
    std::atomic<std::uint64_t> accepts{0};  ///< by all that have had the place
    std::atomic<std::uint64_t> requests{0}; ///< by all that have had the place
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "a hidden lock would be process-local");

/// The scores of all places, in memory that is shared with the children that are forked later.
class scoreboard {
public:
    explicit scoreboard(std::size_t places);
    ~scoreboard();
    scoreboard(const scoreboard&)            = delete;
    scoreboard& operator=(const scoreboard&) = delete;

    std::size_t size() const noexcept { return size_; }
    score& operator[](std::size_t place) noexcept { return first_[place]; }
    score* begin() noexcept { return first_; }
    score* end() noexcept { return first_ + size_; }

    std::string to_json(); ///< the answer to `GET /stats`

private:
    const std::size_t size_;
    score* const first_;
};

} // namespace prefork_http
