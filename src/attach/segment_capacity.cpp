// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attachment.hpp"
#include "member/name_table.hpp"

#include <sharedsock/segment.hpp>

#include <cstdint>

namespace sharedsock {

segment_capacity segment::capacity() const
{
    const detail::capacities all = attachment_->file().plan().capacity;
    segment_capacity told{{0, all.sockets}, {0, all.processes}, {0, all.handles}, {0, all.names}};
    const detail::membership* const member = attachment_->member();
    if (member == nullptr) return told;
    const detail::table_view& bytes = member->bytes();
    told.sockets.used               = bytes.socket_map.used();
    told.handles.used               = bytes.handle_map.used();
    for (std::uint32_t index = 0; index < all.processes; ++index)
        told.processes.used += load(*bytes.process(index)).used ? 1 : 0;
    told.names.used = detail::name_table::count(*member);
    return told;
}

} // namespace sharedsock
