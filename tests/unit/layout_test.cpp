// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "layout/layout.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

using namespace sharedsock::detail;

namespace {

struct table {
    const char* name;
    std::uint64_t begin;
    std::uint64_t bytes;
};

// The tables in the order of the diagram in layout.hpp.
std::vector<table> tables_of(const segment_plan& plan)
{
    const auto& capacity = plan.capacity;
    return {
        {"header", 0, sizeof(segment_header)},
        {"processes", page, std::uint64_t{capacity.processes} * sizeof(process_record)},
        {"names", plan.names_offset, std::uint64_t{capacity.names} * sizeof(name_record)},
        {"handle map", plan.handle_map_offset, segment_plan::map_bytes(capacity.handles)},
        {"socket map", plan.socket_map_offset, segment_plan::map_bytes(capacity.sockets)},
        {"handles", plan.handles_offset, std::uint64_t{capacity.handles} * sizeof(handle_record)},
        {"sockets", plan.sockets_offset, std::uint64_t{capacity.sockets} * sizeof(socket_slot)},
    };
}

constexpr capacities extremes[] = {
    {1, 1, 1, 1},
    {32, 31, 65, 17},
    {256, 1'024, 9'216, 4'096},
    {max_processes, max_names, max_handles, max_sockets},
    {1, max_names, 1, max_sockets},
    {max_processes, 1, max_handles, 1},
};

} // namespace

TEST_CASE("the tables of a segment stand one behind the other on pages of their own")
{
    for (const capacities& wanted : extremes) {
        const auto plan   = segment_plan::of(wanted);
        std::uint64_t end = 0;
        for (const table& each : tables_of(plan)) {
            INFO(each.name << " of a segment for " << wanted.sockets << " sockets");
            CHECK(each.begin % page == 0);
            CHECK(each.begin == segment_plan::pages(end));
            end = each.begin + each.bytes;
        }
        CHECK(plan.size_bytes == segment_plan::pages(end));
    }
}

TEST_CASE("the free map of a table has a bit for each record and one for each word of those")
{
    CHECK(segment_plan::map_bytes(1) == 2 * 8);
    CHECK(segment_plan::map_bytes(64) == 2 * 8);
    CHECK(segment_plan::map_bytes(65) == 3 * 8);
    CHECK(segment_plan::map_bytes(64 * 64 + 1) == (65 + 2) * 8);
    CHECK(segment_plan::map_bytes(max_handles) == (262'144 + 4'096) * 8);
}

TEST_CASE("the largest segment fits into what a mapping and a file can hold")
{
    constexpr auto plan = segment_plan::of({max_processes, max_names, max_handles, max_sockets});
    STATIC_REQUIRE(plan.size_bytes < std::uint64_t{1} << 32);
    STATIC_REQUIRE(plan.handles_offset < std::uint64_t{8} << 20); // has pages from the start
}

TEST_CASE("a socket with two handles takes at most 512 bytes")
{
    STATIC_REQUIRE(sizeof(socket_slot) + 2 * sizeof(handle_record) <= 512);
}

TEST_CASE("the magic reads as text on a little-endian machine")
{
    char text[sizeof segment_magic];
    std::memcpy(text, &segment_magic, sizeof text);
    CHECK(std::string(text, sizeof text) == "shrdsock");
}

TEST_CASE("the layout hash changes with every fact, and with the order of the facts", "[fault-55]")
{
    const std::uint64_t facts[] = {4096, 128, 64, 256};
    const auto hash             = hash_of(facts);
    for (std::size_t i = 0; i < std::size(facts); ++i) {
        for (const std::uint64_t change : {std::uint64_t{1}, std::uint64_t{8}, std::uint64_t{1} << 63}) {
            std::uint64_t changed[std::size(facts)];
            std::copy(std::begin(facts), std::end(facts), changed);
            changed[i] ^= change;
            CHECK(hash_of(changed) != hash);
        }
    }
    CHECK(hash_of({4096, 64, 128, 256}) != hash);
    CHECK(layout_hash == compute_layout_hash());
}
