// Tables in the memory of this process: for decisions on bytes.
#pragma once

#include "tables/handle_table.hpp"
#include "tables/process_table.hpp"
#include "tables/socket_table.hpp"
#include "tables/table_view.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace test {

using namespace sharedsock::detail;

/// A segment's bytes, all zero but for the counts of backed records.
struct own_tables {
    explicit own_tables(const capacities& wanted = {.processes = 8, .names = 4, .handles = 16, .sockets = 8})
        : plan(segment_plan::of(wanted)),
          memory(new (std::align_val_t{page}) std::byte[plan.size_bytes]{}),
          bytes(memory.get(), plan)
    {
        bytes.header->handles_backed = wanted.handles;
        bytes.header->sockets_backed = wanted.sockets;
    }

    struct release {
        void operator()(std::byte* all) const noexcept { ::operator delete[](all, std::align_val_t{page}); }
    };
    segment_plan plan;
    std::unique_ptr<std::byte[], release> memory;
    table_view bytes;
};

/// The handles in a socket's list, from its head; empty as well if the list is broken.
inline std::vector<std::uint32_t> list_of(const table_view& bytes, std::uint32_t socket)
{
    std::vector<std::uint32_t> handles;
    const bool whole = handle_table::for_each(bytes, socket, [&](std::uint32_t handle, const handle_record&) {
        handles.push_back(handle);
        return true;
    });
    return whole ? handles : std::vector<std::uint32_t>();
}

} // namespace test
