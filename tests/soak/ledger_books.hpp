// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/deadline.hpp"
#include "support/shared_file.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

#include <sys/types.h>

/// The books that the workers and the judge keep beside the segment: each byte, each hand-over, each descriptor, each step that
/// has to end. They lie in a file of their own, so the notes of a killed worker stay, and no fault of the library reaches them.
namespace ledger {

inline constexpr std::uint32_t places     = 8;    ///< workers at one time
inline constexpr std::uint32_t lines      = 12;   ///< connections that all workers share
inline constexpr std::uint32_t ring       = 4096; ///< records of a line that may be unchecked
inline constexpr std::uint32_t depths     = 4;    ///< a worker, its child, and so on
inline constexpr std::uint32_t hand_overs = 8192; ///< hand-overs that may be unchecked
inline constexpr std::uint32_t nowhere    = 0xffff'ffff;
inline constexpr std::size_t handful      = 8; ///< records that a worker takes at once

/// The unit of all bytes that the judge sends. A stream is sent and taken in whole records.
struct record {
    std::uint32_t line;
    std::uint32_t number;
};

/// The step that a process of a worker takes now; all but `rests` have to end.
enum class doing : std::uint32_t { rests, acts, forks, leaves_fork, waits_for_child, ends, tears_down };

inline const char* sentence(doing what)
{
    switch (what) {
    case doing::rests:
        return "rests";
    case doing::acts:
        return "hangs in its scenario";
    case doing::forks:
        return "hangs in fork()";
    case doing::leaves_fork:
        return "hangs inside fork() and does not come out of it";
    case doing::waits_for_child:
        return "waits for its child in vain";
    case doing::ends:
        return "hangs while it ends";
    case doing::tears_down:
        return "hangs in destructors";
    }
    return "?";
}

/// A guard against hangs, no measure. A parent has longer than its child, so that the finding names the child.
inline std::chrono::seconds limit_of(doing what)
{
    const bool waits = what == doing::waits_for_child || what == doing::acts;
    return std::chrono::seconds(waits ? 45 : 15) * test::slowness;
}

struct stage {
    std::atomic<bool> active;
    std::atomic<doing> what;
    std::atomic<std::uint64_t> since_ns; ///< CLOCK_MONOTONIC
};

/// One worker's page.
struct desk {
    std::atomic<std::uint32_t> settled;        ///< the quiet period that it keeps
    std::atomic<std::uint64_t> process;        ///< its attachment, packed; 0: none
    std::atomic<std::uint32_t> stops;          ///< how often the judge has stopped it
    std::atomic<std::uint32_t> handles[lines]; ///< open handles
    std::atomic<std::uint32_t> in_hand[lines]; ///< takes under way, of `handful` records at most each
    std::atomic<std::uint64_t> operations;     ///< public calls
    std::atomic<std::uint64_t> forks;          ///< children
    std::atomic<std::uint64_t> episodes;       ///< acts that ended
    std::atomic<std::uint32_t> wrote;          ///< whether a finding is there: 1 while it is written, then 2
    char finding[480];
    stage stages[depths];
};

/// One hand-over; its tag is its number.
struct parcel {
    std::atomic<std::uint32_t> giver;    ///< the worker
    std::atomic<std::uint64_t> target;   ///< an attachment, packed
    std::atomic<std::uint32_t> line;     ///< the line of the records that it carries; `nowhere`: none
    std::atomic<std::uint32_t> count;    ///< how many
    std::atomic<std::uint32_t> accepted; ///< 1: the call succeeded, 2: it failed
    std::atomic<std::uint32_t> arrived;  ///< how often
};

struct books {
    std::atomic<bool> end;
    std::atomic<std::uint32_t> quiet; ///< number of the quiet period; odd while it lasts
    std::atomic<std::uint64_t> socket_id[lines];
    std::atomic<std::uint8_t> taken[lines][ring]; ///< how often a record was taken
    std::atomic<std::uint64_t> received;          ///< records taken in all
    std::atomic<std::uint32_t> next_parcel;
    parcel parcels[hand_overs];
    desk desks[places];
};

/// The books in memory of this process.
using shared_books = test::shared_file<books>;

inline std::uint64_t now_ns() { return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()); }

} // namespace ledger
