// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <atomic>
#include <cstdint>

namespace sharedsock::detail {

/// Knows which numbers of this process's descriptor table the library believes to own, and how often it learned that it was wrong.
///
/// Other code may close a descriptor of the library, and the kernel gives the number away again. The library finds out in two
/// ways. If it gets the number itself while an object of it still claims the number, that object has lost it: no system call is
/// needed to know. If an object looks at its descriptor and sees something else, it calls `doubt`: from then on no descriptor
/// that is older than the doubt is closed unless its owner can prove that it still is what it was (`unique_fd::vouch`).
///
/// Threads: safe, without a lock. fork(2): the child has a copy, as it has of the descriptor table.
class descriptor_claims {
public:
    /// Claims a number; the claim of an earlier owner ends. 0: there was no memory to note it, and the number is not watched.
    static std::uint32_t take(int number) noexcept;
    /// Ends a claim; the caller closes the number or gives it away after that. False: another object has the number now.
    static bool give_up(int number, std::uint32_t claim) noexcept;
    /// Whether the claim is the latest of that number.
    static bool stands(int number, std::uint32_t claim) noexcept;
    /// Whether any object claims the number.
    static bool is_taken(int number) noexcept;

    /// How often `doubt` was called in this process.
    static std::uint32_t doubts() noexcept { return doubts_.load(std::memory_order_acquire); }
    /// Other code has closed a descriptor of the library: each one that is open now has to be proven before it is closed.
    static void doubt() noexcept { doubts_.fetch_add(1, std::memory_order_acq_rel); }

private:
    static inline std::atomic<std::uint32_t> doubts_{0};
};

} // namespace sharedsock::detail
