// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace sharedsock::detail {

/// The processes that accept from a listener in turn: each has a mark in its handle record. The accept queue itself, and its
/// order, is in the kernel. This class knows the other processes as far as a decision needs them; its knowledge may be a moment
/// old without harm.
class accept_line {
public:
    /// Marks the handle, and makes the other acceptors look the marks up again (`socket_slot::holder_changes`).
    void enter(membership& self, handle& through);
    void leave(membership& self, handle& through) noexcept;

    /// Looks up the other processes in the accept queue if the holders have changed; returns whether they have.
    bool refresh(membership& self, handle& through);
    /// The number of other processes in the accept queue, as of the last `refresh`.
    std::uint32_t others() const noexcept { return static_cast<std::uint32_t>(others_.size()); }
    /// The least load of these processes; the highest number if there is none.
    std::uint32_t least_load(membership& self) const noexcept;
    /// Makes the next `refresh` look the others up in any case: a death changes no count.
    void forget() noexcept { seen_.reset(); }
    /// Forgets the others; keeps its memory.
    void begin_anew() noexcept
    {
        others_.clear();
        forget();
    }

private:
    std::vector<process_id> others_;
    std::optional<std::uint32_t> seen_; // holder_changes when the others were looked up
};

} // namespace sharedsock::detail
