// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// The `life` word of a handle record or a socket slot: which use of the record it is, which process has it, and its state. One
/// compare-and-swap takes a record and one frees it, so no record is ever half taken.
///
///     generation:32 | process + 1:16 | state:8 | 0:8          all zero: free, never used
template <class State>
struct life_word {
    std::uint32_t generation = 0;
    std::uint32_t process    = no_index; ///< the process that may change it: the holder of a handle, the builder of a slot
    State state{};

    static constexpr life_word decode(std::uint64_t bits) noexcept
    {
        return {static_cast<std::uint32_t>(bits >> 32), static_cast<std::uint32_t>(bits >> 16 & 0xffff) - 1,
                static_cast<State>(bits >> 8 & 0xff)};
    }
    constexpr std::uint64_t encode() const noexcept
    {
        return std::uint64_t{generation} << 32 | std::uint64_t{(process + 1) & 0xffff} << 16 |
               std::uint64_t{static_cast<std::uint8_t>(state)} << 8;
    }
    friend bool operator==(const life_word&, const life_word&) = default;
};

enum class handle_state : std::uint8_t {
    free     = 0,
    claimed  = 1, ///< taken by a process, not (or no longer) in its socket's list
    held     = 2, ///< an open handle
    offered  = 3, ///< a ticket; `process` is the target
    kept     = 4, ///< a ticket by pid that lies in no mailbox; `process` is the source, which keeps the descriptor
    handing  = 5, ///< a ticket or a hand-over on its way; `process` is the sender until the target takes it or it is offered
    giving   = 6, ///< an acknowledged hand-over that the target has not taken; `process` is the sender, which keeps the socket
    returned = 7, ///< an acknowledged hand-over that the target declined or the sender took back; `process` is the sender
};
using handle_life = life_word<handle_state>;

/// `handle_record::source`: the process that made a ticket or a hand-over.
///
///     generation modulo 2^19 : 19 | process index : 13
struct offer_source {
    static constexpr std::uint32_t generation_mask = 0x7'ffff;

    std::uint32_t index      = 0;
    std::uint32_t generation = 0; ///< modulo 2^19

    static constexpr offer_source decode(std::uint32_t bits) noexcept { return {bits & 0x1fff, bits >> 13}; }
    constexpr std::uint32_t encode() const noexcept { return generation << 13 | (index & 0x1fff); }
};

/// Whether a record in this state belongs into the list of its socket, and counts for the socket's life.
constexpr bool in_list(handle_state state) noexcept
{
    return state == handle_state::held || state == handle_state::offered || state == handle_state::kept ||
           state == handle_state::handing || state == handle_state::giving || state == handle_state::returned;
}

enum class slot_state : std::uint8_t {
    free     = 0,
    building = 1, ///< `process` is making it
    live     = 2, ///< belongs to no one process: it lives as long as its list of handles is not empty
};
using slot_life = life_word<slot_state>;

/// The `life` word of a process record.
///
///     generation:32 | 0:30 | unswept:1 | used:1
struct process_life {
    std::uint32_t generation = 0;
    bool unswept             = false; ///< the predecessor at this index died and was not swept yet
    bool used                = false;

    static constexpr process_life decode(std::uint64_t bits) noexcept
    {
        return {static_cast<std::uint32_t>(bits >> 32), (bits & 2) != 0, (bits & 1) != 0};
    }
    constexpr std::uint64_t encode() const noexcept
    {
        return std::uint64_t{generation} << 32 | std::uint64_t{unswept} << 1 | std::uint64_t{used};
    }
};

} // namespace sharedsock::detail
