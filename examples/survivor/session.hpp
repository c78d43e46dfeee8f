// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace survivor {

/// The last line that a server has begun with: all that its answer is made of.
struct step {
    std::uint64_t line      = 0; ///< its number; lines are numbered from 1
    std::uint64_t total     = 0; ///< of all numbers so far: the state that a session has
    std::uint64_t answer_at = 0; ///< where its answer begins in the stream to the client (`written_bytes`)

    std::string answer() const { return line == 0 ? std::string() : std::to_string(line) + ' ' + std::to_string(total) + '\n'; }
};

/// The moment, between the three steps for a line, at which its server is to die.
enum class moment : std::uint32_t { none, begun, half_answered, answered };

/// The part of a session that must outlive its owner. In memory that all its processes share; one of them writes at a time.
class session {
public:
    step current() const noexcept { return steps_[begun_.load(std::memory_order_acquire) % 2]; }

    /// The one store at the end makes the step: a process that dies before it has done nothing.
    void begin(const step& next) noexcept
    {
        const std::uint64_t count = begun_.load(std::memory_order_relaxed);
        steps_[(count + 1) % 2]   = next;
        begun_.store(count + 1, std::memory_order_release);
    }

    std::atomic<bool> ended{false}; ///< the client has sent all lines, and has all answers

    /// For the play: the next server that reaches this moment kills itself.
    std::atomic<moment> fatal{moment::none};

    // For the report: the findings of successors.
    std::atomic<std::uint32_t> takers{0};     ///< processes that have had the session
    std::atomic<std::uint32_t> unanswered{0}; ///< a step had been made, but not all of its answer was sent
    std::atomic<std::uint32_t> unconsumed{0}; ///< a step had been answered, but its line was still there

private:
    step steps_[2];
    std::atomic<std::uint64_t> begun_{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

} // namespace survivor
