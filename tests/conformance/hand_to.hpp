// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"

namespace test {

/// A handle of `child`, which has said "ready" and is given a ticket; returns when it has said `expected`.
inline void hand_to(child_process& child, scratch_segment& segment, const sharedsock::shared_socket& socket, const char* expected)
{
    child.wait_for("ready");
    child.tell(socket.duplicate(segment->find_process(child.pid()).value()).to_text());
    child.wait_for(expected);
}

} // namespace test
