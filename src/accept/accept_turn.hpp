// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/turn_acceptor.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// An acceptor's knowledge when it has accepted a connection.
struct turn_view {
    std::uint32_t accepted = 1; ///< connections in this turn, this one included
    std::uint32_t others   = 0; ///< acceptors of other processes in the accept queue
    std::uint32_t load     = 0; ///< its own load, before this connection
    std::uint32_t least    = 0; ///< least load of the others
};

/// Whether the turn ends with this connection. A move costs as much as a twentieth of a short request, so it has to pay: an even
/// share after `batch` connections, or sooner for an acceptor that has more to do than another. The load before this connection
/// counts: a connection that is served at once leaves none, and one that is kept does.
constexpr bool turn_ends(const turn_view& seen, const turn_options& how) noexcept
{
    if (seen.others == 0) return false;
    return seen.accepted >= how.batch || (how.order == turn_order::least_loaded && seen.load > seen.least);
}

} // namespace sharedsock::detail
