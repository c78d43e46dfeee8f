// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "member/membership.hpp"

namespace sharedsock::command {

/// Mends all damage that can be mended in a segment that `self` is attached to, while other processes work with it. Idempotent.
///
///   - sweeps the dead, and takes their locks over;
///   - makes a list of handles anew from the handles that name its socket; a socket without a holder ends, one that living
///     processes hold and that was marked as free lives again;
///   - ends ownership and delivery of a process that is not attached or does not hold the socket; the first in the standby queue
///     becomes the owner;
///   - ends handles and tickets of no process, or of a socket that does not exist;
///   - brings records into the reach of sweeps and repairs; frees names that cannot be right;
///   - makes the hints where free records are anew.
///
/// Each step is under the lock of its socket or of the names, and replaces exactly the word that it has seen: a change by another
/// process in between stands. A socket whose lock a stopped process holds is left as it is.
void repair(detail::membership& self);

} // namespace sharedsock::command
