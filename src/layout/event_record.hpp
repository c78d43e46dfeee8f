// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/registration_word.hpp"

#include <cstdint>
#include <optional>

namespace sharedsock::detail {

/// The network event record of a socket (ENUM): one 64-bit word, so that collecting is one exchange. It carries the epoch of its
/// registration: a new registration has another epoch, and so empties the record in the same instant (REG-6).
///
///     epoch:24 | signal:1 | 0:5 | events:10 | connect errno:8 | close errno:8 | routing errno:8
struct event_record {
    std::uint32_t epoch  = 0;
    bool signal          = false; ///< another process collected for the owner, whose event object has yet to be signalled (ENUM-7)
    std::uint32_t events = 0;
    int connect_error    = 0;
    int close_error      = 0;
    int routing_error    = 0;

    static constexpr event_record decode(std::uint64_t bits) noexcept
    {
        return {static_cast<std::uint32_t>(bits >> 40),
                (bits >> 39 & 1) != 0,
                static_cast<std::uint32_t>(bits >> 24 & 0x3ff),
                static_cast<int>(bits >> 16 & 0xff),
                static_cast<int>(bits >> 8 & 0xff),
                static_cast<int>(bits & 0xff)};
    }
    constexpr std::uint64_t encode() const noexcept
    {
        const auto byte = [](int error) { return static_cast<std::uint64_t>(error & 0xff); };
        return std::uint64_t{epoch} << 40 | std::uint64_t{signal} << 39 | std::uint64_t{events & 0x3ff} << 24 |
               byte(connect_error) << 16 | byte(close_error) << 8 | byte(routing_error);
    }

    /// The record of registration `at_epoch` with `more` added. Empty if a later registration has begun a record meanwhile.
    constexpr std::optional<event_record> with(std::uint32_t at_epoch, const event_record& more) const noexcept
    {
        if (later_epoch(epoch, at_epoch)) return std::nullopt;
        event_record sum = epoch == at_epoch ? *this : event_record{};
        sum.epoch        = at_epoch;
        sum.signal       = sum.signal || more.signal;
        sum.events |= more.events;
        if (more.connect_error != 0) sum.connect_error = more.connect_error;
        if (more.close_error != 0) sum.close_error = more.close_error;
        if (more.routing_error != 0) sum.routing_error = more.routing_error;
        return sum;
    }
    /// The record as a collector under registration `at_epoch` sees it.
    constexpr event_record at(std::uint32_t at_epoch) const noexcept { return epoch == at_epoch ? *this : event_record{at_epoch}; }
};

inline event_record load_record(const atomic_u64& cell) noexcept { return event_record::decode(cell.load()); }

/// Adds `more` to the record; false if a later registration has begun a record meanwhile.
inline bool record_events(atomic_u64& cell, std::uint32_t epoch, const event_record& more) noexcept
{
    std::uint64_t seen = cell.load();
    for (;;) {
        const auto sum = event_record::decode(seen).with(epoch, more);
        if (!sum) return false;
        if (cell.compare_exchange_weak(seen, sum->encode())) return true;
    }
}

/// Collects and clears in one step (ENUM-1); a `signal` that is due stays unless `clear_signal`.
inline event_record collect_events(atomic_u64& cell, std::uint32_t epoch, bool clear_signal) noexcept
{
    std::uint64_t seen = cell.load();
    for (;;) {
        const event_record found = event_record::decode(seen);
        if (later_epoch(found.epoch, epoch)) return event_record{epoch};
        event_record empty{epoch};
        empty.signal = found.at(epoch).signal && !clear_signal;
        if (seen == empty.encode()) return event_record{epoch};
        if (cell.compare_exchange_weak(seen, empty.encode())) return found.at(epoch);
    }
}

/// Takes the signal that is due to the owner's event object, if there is one.
inline bool take_signal(atomic_u64& cell, std::uint32_t epoch) noexcept
{
    std::uint64_t seen = cell.load();
    for (;;) {
        event_record found = event_record::decode(seen);
        if (found.epoch != epoch || !found.signal) return false;
        found.signal = false;
        if (cell.compare_exchange_weak(seen, found.encode())) return true;
    }
}

} // namespace sharedsock::detail
