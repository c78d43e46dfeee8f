// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace sharedsock::detail {

/// The processes that accept from a listener in turn: each has a mark in its handle record. The accept queue itself, and its
/// order, is in the kernel; this class knows the others as far as a decision needs them, and nothing goes wrong if that is a
/// moment old.
class accept_line {
public:
    /// Marks the handle. Other acceptors look anew (`socket_slot::holder_changes`).
    void enter(membership& self, handle& through);
    void leave(membership& self, handle& through) noexcept;

    /// Looks up the other processes in the queue if there was a change; whether there was one.
    bool refresh(membership& self, handle& through);
    /// How many there are, as of the last `refresh`.
    std::uint32_t others() const noexcept { return static_cast<std::uint32_t>(others_.size()); }
    /// The least of their loads; the highest number if there are none.
    std::uint32_t least_load(membership& self) const noexcept;
    /// Makes the next `refresh` look them up in any case: a death changes no count.
    void forget() noexcept { seen_.reset(); }

private:
    std::vector<process_id> others_;
    std::optional<std::uint32_t> seen_; // holder_changes when they were looked up
};

} // namespace sharedsock::detail
