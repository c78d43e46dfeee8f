// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/public_operations.hpp"

namespace test {

const operation_map& public_operations()
{
    static const operation_map all = [] {
        operation_map map;
        add_segment_operations(map);
        add_socket_operations(map);
        add_ticket_operations(map);
        add_event_operations(map);
        add_process_operations(map);
        return map;
    }();
    return all;
}

} // namespace test
