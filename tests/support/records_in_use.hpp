// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <sharedsock/segment.hpp>

#include <cstddef>
#include <cstdint>

namespace test {

template <class Record>
std::size_t in_use(sharedsock::segment& segment, Record* (sharedsock::detail::table_view::*at)(std::uint32_t) const noexcept,
                   std::uint32_t count)
{
    const sharedsock::detail::table_view& bytes = segment.attachment()->member()->bytes();
    std::size_t count_of_used                   = 0;
    for (std::uint32_t index = 0; index < count; ++index)
        count_of_used += static_cast<int>(load(*(bytes.*at)(index)).state) != 0; // of both kinds, 0 is free
    return count_of_used;
}

/// Slots and handle records that are not free, as the segment itself has them.
inline std::size_t sockets_in_use(sharedsock::segment& segment)
{
    using sharedsock::detail::table_view;
    return in_use(segment, &table_view::socket, segment.attachment()->member()->bytes().sockets_backed());
}
inline std::size_t records_in_use(sharedsock::segment& segment)
{
    using sharedsock::detail::table_view;
    return in_use(segment, &table_view::handle, segment.attachment()->member()->bytes().handles_backed());
}

/// Takes the descriptor numbers out of all handle records: then a process that wants a descriptor has no way but to ask a holder by
/// mail, as where ptrace rights forbid pidfd_getfd(2).
inline void hide_descriptor_numbers(const sharedsock::segment& segment)
{
    const sharedsock::detail::table_view& bytes = segment.attachment()->member()->bytes();
    for (std::uint32_t index = 0; index < bytes.handles_backed(); ++index)
        bytes.handle(index)->descriptor.store(-1);
}

} // namespace test
