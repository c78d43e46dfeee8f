#include "support/catch.hpp"
#include "table_fixture.hpp"

#include <cstdint>
#include <vector>

using namespace test;

namespace {

std::vector<std::uint32_t> all_candidates(const table_view& bytes)
{
    std::vector<std::uint32_t> all;
    process_table::candidates candidates(bytes);
    for (std::uint32_t index = candidates.next(); index != no_index; index = candidates.next()) {
        all.push_back(index);
    }
    return all;
}

using indexes = std::vector<std::uint32_t>;

} // namespace

TEST_CASE("attaching tries the unused indexes first and then all of them")
{
    own_tables own({.processes = 4, .names = 1, .handles = 1, .sockets = 1});
    CHECK(all_candidates(own.bytes) == indexes{0, 1, 2, 3, 0, 1, 2, 3});
    process_table::begin(own.bytes, 0);
    process_table::begin(own.bytes, 2);
    CHECK(all_candidates(own.bytes) == indexes{1, 3, 0, 1, 2, 3});
}

TEST_CASE("a process that attaches while others do is not told that the table is full", "[fault-77]")
{
    own_tables own({.processes = 4, .names = 1, .handles = 1, .sockets = 1});
    process_table::candidates candidates(own.bytes);
    REQUIRE(candidates.next() == 0);
    process_table::begin(own.bytes, 0); // another process was faster
    CHECK(candidates.next() == 1);
    process_table::begin(own.bytes, 1);
    CHECK(candidates.next() == 2);
}

TEST_CASE("each incarnation has a generation of its own, which stays when it ends", "[fault-35]")
{
    own_tables own;
    const process_life first = process_table::begin(own.bytes, 3);
    CHECK(first.generation == 1);
    CHECK_FALSE(first.unswept);
    CHECK(process_table::is_incarnation(own.bytes, 3, 1));
    process_table::end(own.bytes, 3);
    CHECK_FALSE(process_table::is_incarnation(own.bytes, 3, 1));
    CHECK(process_table::begin(own.bytes, 3).generation == 2);
    CHECK_FALSE(process_table::is_incarnation(own.bytes, 3, 1));
    CHECK(process_table::is_incarnation(own.bytes, 3, 2));
}

TEST_CASE("the successor of a process that did not detach has to sweep it, however often a successor dies in that")
{
    own_tables own;
    process_table::begin(own.bytes, 3);
    CHECK(process_table::begin(own.bytes, 3).unswept);
    CHECK(process_table::begin(own.bytes, 3).unswept);
    process_table::settled(own.bytes, 3);
    CHECK_FALSE(load(*own.bytes.process(3)).unswept);
    CHECK(load(*own.bytes.process(3)).used);
    CHECK(process_table::is_incarnation(own.bytes, 3, 3));
}

TEST_CASE("generation zero is never an incarnation's, not even after a wrap", "[fault-38]")
{
    own_tables own;
    own.bytes.process(3)->life = process_life{0xffff'ffff, false, false}.encode();
    CHECK(process_table::begin(own.bytes, 3).generation == 1);
}

TEST_CASE("an incarnation is known by the low bits of its generation too, and no index beyond the table has one")
{
    own_tables own;
    own.bytes.process(3)->life = process_life{0x1'8005, false, true}.encode();
    CHECK(process_table::is_incarnation(own.bytes, 3, 5, 0x7fff));
    CHECK_FALSE(process_table::is_incarnation(own.bytes, 3, 6, 0x7fff));
    CHECK_FALSE(process_table::is_incarnation(own.bytes, 3, 5));
    CHECK_FALSE(process_table::is_incarnation(own.bytes, 8, 5));
    CHECK_FALSE(process_table::is_incarnation(own.bytes, no_index, 5));
}
