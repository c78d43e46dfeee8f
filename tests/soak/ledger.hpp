// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/shared_file.hpp"

#include <atomic>
#include <cstdint>

namespace soak {

inline constexpr std::uint32_t workers     = 12;
inline constexpr std::uint32_t connections = 24;
inline constexpr std::uint32_t listener    = connections; ///< the place of the listening socket among the sockets
inline constexpr std::uint32_t sockets     = connections + 1;
inline constexpr std::size_t chunk         = 64; ///< a worker takes no more at once

/// The workers' notes for the judge, beside the segment. A killed worker's last step stays here.
struct ledger {
    std::atomic<bool> end;
    std::atomic<std::uint32_t> quiet; ///< number of the quiet period; odd while it lasts
    std::atomic<std::uint64_t> socket_id[sockets];
    std::atomic<std::uint64_t> received[sockets]; ///< bytes, or connections accepted
    struct desk {
        std::atomic<std::uint32_t> settled;                   ///< the quiet period it keeps
        std::atomic<std::uint32_t> in_hand;                   ///< the socket + 1 that it is taking from, 0: none
        std::atomic<std::uint32_t> handles[sockets];          ///< open handles
        std::atomic<std::uint64_t> operations, refused, made; ///< calls; those that gave an error that may be; own sockets
        char finding[240];                                    ///< why it gave up
    } desks[workers];
};

/// The ledger in a file of its own, which the workers map as well.
using shared_ledger = test::shared_file<ledger>;

} // namespace soak
