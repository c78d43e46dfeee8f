// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace sharedsock::detail {

/// The owner of a socket's events: one 64-bit word, changed by compare-and-swap only. Also if a process dies, stops or fails
/// around a change, the word names at most one owner and at most one delivery (G1, G2).
///
///     epoch:24 | owner + 1:13 | delivering + 1:13 | 0:1 | by_turn:1 | mask:6 | armed:6        all zero: no owner, never registered
///
/// epoch        +1 at every registration and cancellation; never reset, not even when the slot is used again; never 0 again,
///              because 0 means "no registration" in several places
/// owner        the process whose registration is current
/// delivering   the process that has claimed an event and has not finished with it; it may be a former owner
/// by_turn      the owner stood by, and another process made it owner and entered in `details` through which handle
/// mask         the events that the owner nominated (the six that can occur)
/// armed        those of them that may be delivered: a claim disarms, the re-enabling call of *any* process arms again
///
/// Invariants (tests/model): at most one delivery exists; the process that claimed it was the owner then; if an event is armed and
/// ready, the owner alive and no delivery under way, the owner will look; a cancelled live owner is told.
struct registration_word {
    static constexpr std::uint32_t epoch_mask       = 0xff'ffff;
    static constexpr std::uint32_t event_bits       = 0x3f;
    static constexpr std::uint32_t process_bits     = 0x1fff;
    static constexpr std::uint64_t delivering_field = std::uint64_t{process_bits} << 14; ///< of the encoded word

    std::uint32_t epoch      = 0;
    std::uint32_t owner      = no_index;
    std::uint32_t delivering = no_index;
    std::uint32_t mask       = 0;
    std::uint32_t armed      = 0;
    bool by_turn             = false;

    static constexpr registration_word decode(std::uint64_t bits) noexcept
    {
        return {.epoch      = static_cast<std::uint32_t>(bits >> 40),
                .owner      = static_cast<std::uint32_t>(bits >> 27 & process_bits) - 1,
                .delivering = static_cast<std::uint32_t>(bits >> 14 & process_bits) - 1,
                .mask       = static_cast<std::uint32_t>(bits >> 6 & event_bits),
                .armed      = static_cast<std::uint32_t>(bits & event_bits),
                .by_turn    = (bits >> 12 & 1) != 0};
    }
    constexpr std::uint64_t encode() const noexcept
    {
        return std::uint64_t{epoch & epoch_mask} << 40 | std::uint64_t{(owner + 1) & process_bits} << 27 |
               std::uint64_t{(delivering + 1) & process_bits} << 14 | std::uint64_t{by_turn} << 12 |
               std::uint64_t{mask & event_bits} << 6 | std::uint64_t{armed & event_bits};
    }
    friend bool operator==(const registration_word&, const registration_word&) = default;

    constexpr bool owned() const noexcept { return owner != no_index; }
    constexpr bool owned_by(std::uint32_t process, std::uint32_t at_epoch) const noexcept
    {
        return owner == process && epoch == at_epoch;
    }

    constexpr std::uint32_t next_epoch() const noexcept { return epoch == epoch_mask ? 1 : epoch + 1; }

    // The moves, as pure functions of the word. An empty optional means: this move is not possible now.

    /// `process` takes the registration over, from any owner (REG-2).
    constexpr registration_word taken_over(std::uint32_t process, std::uint32_t wanted) const noexcept
    {
        return {next_epoch(), process, delivering, wanted & event_bits, wanted & event_bits};
    }
    /// `process`, which stands by, is made owner.
    constexpr registration_word turn_given(std::uint32_t process, std::uint32_t wanted) const noexcept
    {
        registration_word next = taken_over(process, wanted);
        next.by_turn           = true;
        return next;
    }
    /// The registration ends without a next owner (REG-5). A delivery that is under way goes on until it ends.
    constexpr registration_word cancelled() const noexcept { return {next_epoch(), no_index, delivering, 0, 0}; }

    /// The owner claims the events in `ready` for delivery, if it is the owner under `at_epoch`, no delivery is under way, and one
    /// of the events is armed.
    constexpr std::optional<registration_word> claimed(std::uint32_t process, std::uint32_t at_epoch,
                                                       std::uint32_t ready) const noexcept
    {
        if (!owned_by(process, at_epoch) || delivering != no_index || (armed & ready) == 0) return std::nullopt;
        return registration_word{epoch, owner, process, mask, armed & ~ready, by_turn};
    }
    /// The owner begins to deliver an event that has no armed bit: a change of the network (EVT-25).
    constexpr std::optional<registration_word> begun(std::uint32_t process, std::uint32_t at_epoch) const noexcept
    {
        if (!owned_by(process, at_epoch) || delivering != no_index) return std::nullopt;
        return registration_word{epoch, owner, process, mask, armed, by_turn};
    }
    /// The delivery ends; the events in `restore` had not occurred after all and are armed again, if the registration is the same.
    constexpr std::optional<registration_word> finished(std::uint32_t process, std::uint32_t at_epoch,
                                                        std::uint32_t restore) const noexcept
    {
        if (delivering != process) return std::nullopt;
        const bool same = owned_by(process, at_epoch);
        return registration_word{epoch, owner, no_index, mask, same ? armed | (restore & mask) : armed, by_turn};
    }
    /// A re-enabling call for `events`, by any process (EVT-2, EVT-3).
    constexpr std::optional<registration_word> re_enabled(std::uint32_t events) const noexcept
    {
        if (!owned() || (events & mask & ~armed) == 0) return std::nullopt;
        return registration_word{epoch, owner, delivering, mask, armed | (events & mask), by_turn};
    }
    /// `dead` died: it owns and delivers nothing, and the events that it may have left half delivered are armed again.
    constexpr registration_word swept(std::uint32_t dead) const noexcept
    {
        const std::uint32_t still = delivering == dead ? no_index : delivering;
        if (owner == dead) return {next_epoch(), no_index, still, 0, 0};
        return {epoch, owner, still, mask, owned() ? mask : 0, by_turn};
    }
};

/// Applies `move` (registration_word -> optional or plain registration_word) until its compare-and-swap succeeds or the move is not
/// possible. Returns the words before and after; empty if the move was not possible. A failed exchange means that another process
/// made progress.
template <class Move>
std::optional<std::pair<registration_word, registration_word>> change(atomic_u64& cell, Move move) noexcept
{
    std::uint64_t seen = cell.load();
    for (;;) {
        const registration_word before               = registration_word::decode(seen);
        const std::optional<registration_word> after = move(before);
        if (!after) return std::nullopt;
        if (cell.compare_exchange_weak(seen, after->encode())) return std::pair{before, *after};
    }
}

inline registration_word load(const atomic_u64& cell) noexcept { return registration_word::decode(cell.load()); }

/// The facts that the word has no room for, entered by the process that has changed it; valid while its epoch is the word's.
///
///     epoch:24 | kind:4 | high mask bits:4 | handle:32
struct registration_details {
    std::uint32_t epoch     = 0;
    std::uint32_t kind      = 0;
    std::uint32_t high_mask = 0; ///< bits 6 to 9 of the mask: events that are accepted and never occur
    std::uint32_t handle    = no_index;

    static constexpr registration_details decode(std::uint64_t bits) noexcept
    {
        return {static_cast<std::uint32_t>(bits >> 40), static_cast<std::uint32_t>(bits >> 36 & 0xf),
                static_cast<std::uint32_t>(bits >> 32 & 0xf), static_cast<std::uint32_t>(bits)};
    }
    constexpr std::uint64_t encode() const noexcept
    {
        return std::uint64_t{epoch} << 40 | std::uint64_t{kind & 0xf} << 36 | std::uint64_t{high_mask & 0xf} << 32 | handle;
    }
};

inline registration_details details_of(const socket_slot& slot) noexcept
{
    return registration_details::decode(slot.details.load());
}

/// Enters the details, if their registration is still the current one: a later registration has entered its own, or will.
inline void enter(socket_slot& slot, const registration_details& details) noexcept
{
    std::uint64_t seen = slot.details.load();
    while (load(slot.registration).epoch == details.epoch && !slot.details.compare_exchange_weak(seen, details.encode())) {
    }
}

/// Whether epoch `a` is later than `b`, modulo 2^24.
constexpr bool later_epoch(std::uint32_t a, std::uint32_t b) noexcept
{
    return a != b && ((a - b) & registration_word::epoch_mask) < 0x80'0000;
}

} // namespace sharedsock::detail
