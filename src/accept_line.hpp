// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "handle.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace sharedsock::detail {

/// Who accepts from a listener in turn: a mark in each one's handle record. The line itself, and its order, is in the kernel;
/// this is what a decision needs to know of the others, and nothing goes wrong if it is a moment old.
class accept_line {
public:
    /// Marks the handle. Others look anew (`socket_slot::holder_changes`).
    void enter(membership& self, handle& through);
    void leave(membership& self, handle& through) noexcept;

    /// The other processes in line, looked up again only when there was a change.
    std::uint32_t others(membership& self, handle& through);
    /// The least of their loads; the highest number if there are none. @pre `others` was called.
    std::uint32_t least_load(membership& self) const noexcept;
    /// Has the next `others` look them up again: a death is no change that anybody notes.
    void forget() noexcept { seen_.reset(); }

private:
    std::vector<process_id> others_;
    std::optional<std::uint32_t> seen_; // holder_changes when they were looked up
};

} // namespace sharedsock::detail
