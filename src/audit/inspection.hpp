// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "audit/snapshot.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sharedsock::command {

/// One fault of a segment, in words.
struct finding {
    enum class weight {
        unswept, ///< left by a dead process; the next sweep ends it
        damage,  ///< no process could have left it, wherever it died
    };
    weight what;
    std::string text;

    friend auto operator<=>(const finding&, const finding&) = default;
};

/// Checks the bytes against each other and against the list of living processes:
///
///   - a used process index has an incarnation, and its process lives or is yet to be swept;
///   - no handle, ticket, half made socket, ownership, delivery or lock belongs to a process that is not in the table;
///   - the list of a live socket leads to each of its handles once and to nothing else, and has one handle at least;
///   - a handle's socket is live; a free slot has no list and no owner;
///   - the owner of a socket's events holds it; armed events are in its mask; no record is ahead of its registration;
///   - no two live slots of one kind have the same cookie, and the index by cookie has each of them;
///   - a published name is text, refers to a slot that exists, and to a live socket no other name record has it for.
///
/// Records that a process is changing at this moment (a slot whose lock is held, a handle that is claimed) are not judged, nor are
/// hints: free maps, counters, fields for people.
///
/// `bytes` must be at rest, else changes show as faults; `alive` says of an index in use whether its process lives.
std::vector<finding> inspect(const detail::table_view& bytes, const std::function<bool(std::uint32_t)>& alive);
std::vector<finding> inspect(const snapshot& state);

/// The findings that several looks at a segment have in common: a fault that shows for an instant only is none.
std::vector<finding> inspect(const std::string& name, const segment_options& options, error_code& ec);

} // namespace sharedsock::command
