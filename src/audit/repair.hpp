// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "member/membership.hpp"

namespace sharedsock::command {

/// Mends what can be mended in a segment that `self` is attached to, while others work with it. Done again it finds nothing.
///
///   - the dead are swept, and their locks taken over;
///   - a list of handles is made anew from the handles that say they belong to it; a socket that nobody holds any more ends, one
///     that living processes hold and that was marked as free lives again;
///   - nobody owns or delivers events who is not attached or does not hold the socket; the next in line succeeds;
///   - handles and tickets in the name of nobody, or of a socket that does not exist, end;
///   - what a sweep or a repair would not reach comes within its reach; names that cannot be right are freed;
///   - the hints where free records are are made anew.
///
/// Each step is under the lock of the socket or the names that it is about, and an exchange of exactly what was seen: what
/// somebody changes meanwhile is left to him. A socket whose lock is held by a stopped process is left as it is.
void repair(detail::membership& self);

} // namespace sharedsock::command
