// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace sharedsock {

/// Who a process is, within one segment: its place in the process table, and which tenant of that place.
///
/// A plain value that any IPC may carry. It is never re-used for another process, unlike a pid: the index is held by a
/// kernel lock that ends with the process, and the generation counts the tenants of the index. It names an *attachment*:
/// a process that attaches twice has two. A default-made value names nobody.
struct process_id {
    static constexpr std::uint32_t none = 0xffff'ffff;

    std::uint32_t index      = none; ///< place in the segment's process table
    std::uint32_t generation = 0;    ///< tenant of that place

    explicit operator bool() const noexcept { return index != none; }
    friend bool operator==(const process_id&, const process_id&)  = default;
    friend auto operator<=>(const process_id&, const process_id&) = default;
};

/// "index.generation", or "nobody"; for people and logs.
std::string to_string(process_id who);

/// What a segment knows about an attached process. All but `id` and `alive` is for people and logs, never for decisions.
struct process_info {
    process_id id;
    bool alive                = false; ///< judged by the kernel's lock (reliable under pid re-use, zombies and namespaces)
    std::int32_t pid          = 0;     ///< as seen in its own pid namespace
    std::uint64_t start_time  = 0;     ///< clock ticks after boot, field 22 of proc(5) stat
    std::uint64_t attached_ns = 0;     ///< CLOCK_REALTIME, nanoseconds since the epoch
    std::uint32_t load        = 0;     ///< what `segment::set_load` stored last
    std::string name;                  ///< the command name, at most 15 characters
};

} // namespace sharedsock
