// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "audit/snapshot.hpp"

#include <compare>
#include <functional>
#include <string>
#include <vector>

namespace sharedsock::command {

/// One thing that is not as it should be, in words.
struct finding {
    enum class weight {
        unswept, ///< what a dead process has left; the next sweep ends it
        damage,  ///< what no process could have left, wherever it died
    };
    weight what;
    std::string text;

    friend auto operator<=>(const finding&, const finding&) = default;
};

/// Checks the bytes against each other and against who lives:
///
///   - a used process index has a tenant, and the tenant lives or is yet to be swept;
///   - nothing is in the name of a process that is not in the table: no handle, ticket, half made socket, ownership,
///     delivery, lock;
///   - the list of a live socket leads to each of its handles once and to nothing else, and there is one at least;
///   - a handle's socket is live; a free slot has no list and no owner;
///   - the owner of a socket's events holds it; what is armed was asked for; no record is ahead of its registration;
///   - a published name is text, refers to a slot that exists, and to a live socket no other name record has it for.
///
/// What somebody is changing at this moment (a slot whose lock is held, a handle that is claimed) is not judged. Nor are
/// hints: free maps, counters, what is there for people.
///
/// `bytes` must be at rest, or what changes meanwhile is found; `alive` says of an index in use whether its process lives.
std::vector<finding> inspect(const detail::tables& bytes, const std::function<bool(std::uint32_t)>& alive);
std::vector<finding> inspect(const snapshot& state);

/// The findings that several looks at a segment have in common: what is so for an instant only is none.
std::vector<finding> inspect(const std::string& name, const segment_options& options, error_code& ec);

} // namespace sharedsock::command
