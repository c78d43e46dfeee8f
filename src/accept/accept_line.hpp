// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

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

    /// Looks up the other processes in line if there was a change; whether there was one.
    bool refresh(membership& self, handle& through);
    /// How many there are, as of the last `refresh`.
    std::uint32_t others() const noexcept { return static_cast<std::uint32_t>(others_.size()); }
    /// The least of their loads; the highest number if there are none.
    std::uint32_t least_load(membership& self) const noexcept;
    /// Has the next `refresh` look them up in any case: a death is no change that anybody notes.
    void forget() noexcept { seen_.reset(); }

private:
    std::vector<process_id> others_;
    std::optional<std::uint32_t> seen_; // holder_changes when they were looked up
};

} // namespace sharedsock::detail
