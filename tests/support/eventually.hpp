#pragma once

#include "support/deadline.hpp"

#include <chrono>

#include <poll.h>

namespace test {

/// Whether `predicate` becomes true within `limit`.
///
/// For effects that the kernel completes in its own time and reports to no process (a connection reaching the backlog, a peer's
/// reset, an exit seen through /proc). A process that can say that it is done shall say so through its channel instead.
template <typename Predicate>
bool eventually(Predicate predicate, std::chrono::milliseconds limit = patience)
{
    const deadline end(limit);
    while (!predicate()) {
        if (end.passed()) {
            return false;
        }
        ::poll(nullptr, 0, 1); // leaves the processor to the process that makes it true
    }
    return true;
}

} // namespace test
