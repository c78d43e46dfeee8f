// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

/// Counts the calls of the allocator that a forked child makes inside atfork handlers. A thread of the parent may have been in the
/// allocator, and then its locks are held in the child for ever.
///
/// In a child the handlers run in the order of their installation: those between the handlers of `begin` and of `end` are counted.
/// A program that links heap_watch.cpp has its own malloc(3) and operator new; one with a sanitizer uses the sanitizer's hooks.
namespace test::heap_watch {

struct calls {
    std::uint32_t made  = 0; ///< pieces of memory
    std::uint32_t freed = 0;
    bool none() const noexcept { return made == 0 && freed == 0; }
};

void begin(); ///< before the first attachment, which installs the library's handlers
void end();   ///< after the last handler is installed
/// In a forked child: the calls of the fork that made it.
calls seen() noexcept;

} // namespace test::heap_watch
