#include "tables/free_map.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <random>
#include <set>
#include <vector>

using namespace sharedsock::detail;

namespace {

struct own_map {
    explicit own_map(std::uint32_t records)
        : words(segment_plan::map_bytes(records) / sizeof(std::uint64_t)), map(words.data(), records)
    {}
    std::vector<atomic_u64> words;
    free_map map;
};

} // namespace

TEST_CASE("the lowest free record is found, and none when all are used")
{
    for (const std::uint32_t records : {1u, 63u, 64u, 65u, 128u, 4096u, 4097u, 10'000u}) {
        INFO(records << " records");
        own_map own(records);
        for (std::uint32_t expected = 0; expected < records; ++expected) {
            REQUIRE(own.map.find() == expected);
            own.map.set_used(expected);
        }
        CHECK(own.map.find() == no_index);
        own.map.set_free(records - 1);
        CHECK(own.map.find() == records - 1);
        own.map.set_free(0);
        CHECK(own.map.find() == 0);
    }
}

TEST_CASE("the map agrees with a set, whatever is taken and given back")
{
    constexpr std::uint32_t records = 300;
    own_map own(records);
    std::set<std::uint32_t> free;
    for (std::uint32_t record = 0; record < records; ++record) {
        free.insert(record);
    }
    std::mt19937 random(1);
    for (int round = 0; round < 20'000; ++round) {
        const auto record = static_cast<std::uint32_t>(random() % records);
        if (random() % 2 != 0) {
            own.map.set_used(record); // a second time does no harm
            free.erase(record);
        } else {
            own.map.set_free(record);
            free.insert(record);
        }
        REQUIRE(own.map.find() == (free.empty() ? no_index : *free.begin()));
    }
}

TEST_CASE("the map finds a record of the table, whatever the hints are", "[fault-57]")
{
    std::mt19937_64 random(1);
    for (const std::uint32_t records : {1u, 70u, 4100u}) {
        own_map own(records);
        for (int round = 0; round < 2'000; ++round) {
            for (atomic_u64& word : own.words) {
                word = random() | random(); // mostly ones
            }
            const std::uint32_t found = own.map.find();
            REQUIRE((found < records || found == no_index));
            if (found != no_index) {
                own.map.set_used(found);
                REQUIRE(own.map.find() != found);
            }
        }
    }
}
