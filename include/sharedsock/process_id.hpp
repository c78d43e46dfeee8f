// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace sharedsock {

/// The identity of a process within one segment: its index in the process table, and which incarnation of that index.
///
/// A plain value that any IPC may carry. It is never re-used for another process, unlike a pid: a kernel lock that ends with the
/// process holds the index, and the generation counts the incarnations of the index. It names an *attachment*: a process that
/// attaches twice has two. A default-made value names no process.
struct process_id {
    static constexpr std::uint32_t none = 0xffff'ffff;

    std::uint32_t index      = none; ///< place in the segment's process table
    std::uint32_t generation = 0;    ///< incarnation of that index

    explicit operator bool() const noexcept { return index != none; }
    friend bool operator==(const process_id&, const process_id&)  = default;
    friend auto operator<=>(const process_id&, const process_id&) = default;
};

/// "index.generation", or "nobody"; for people and logs.
std::string to_string(process_id who);

/// A segment's record of an attached process. All but `id` and `alive` is for people and logs, never for decisions.
struct process_info {
    process_id id;
    bool alive                = false; ///< judged by the kernel's lock (reliable under pid re-use, zombies and namespaces)
    std::int32_t pid          = 0;     ///< as seen in its own pid namespace
    std::uint64_t start_time  = 0;     ///< clock ticks after boot, field 22 of proc(5) stat
    std::uint64_t attached_ns = 0;     ///< CLOCK_REALTIME, nanoseconds since the epoch
    std::uint32_t load        = 0;     ///< the value that `segment::set_load` stored last
    std::string name;                  ///< the command name, at most 15 characters
};

} // namespace sharedsock
