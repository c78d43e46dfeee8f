#pragma once

#include "support/deadline.hpp"

#include <poll.h>

namespace test {

/// Whether `predicate` becomes true within `limit`.
///
/// For what the kernel does in its own time and tells nobody (a connection reaching the backlog, a peer's reset, an exit
/// seen through /proc). Where a process can say that it is done, let it say so through its channel instead.
template <typename Predicate>
bool eventually(Predicate predicate, std::chrono::milliseconds limit = patience)
{
    const deadline end(limit);
    while (!predicate()) {
        if (end.passed()) {
            return false;
        }
        ::poll(nullptr, 0, 1); // leaves the processor to whoever makes it true
    }
    return true;
}

} // namespace test
