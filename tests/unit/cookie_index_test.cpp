#include "tables/cookie_index.hpp"

#include "support/catch.hpp"
#include "table_fixture.hpp"

#include <cstdint>
#include <vector>

using namespace test;

namespace {

record_id build(table_view& bytes, std::uint64_t cookie, record_id* its_handle = nullptr)
{
    const auto claimed = handle_table::claim(bytes, 1, 1);
    REQUIRE(claimed.what == handle_table::claim_result::outcome::claimed);
    const auto built = socket_table::build(bytes, claimed.id, 1, {.cookie = cookie}, 5);
    REQUIRE(built.what == socket_table::build_result::outcome::built);
    if (its_handle != nullptr) *its_handle = claimed.id;
    return built.id;
}

void end(table_view& bytes, record_id socket, record_id handle)
{
    REQUIRE(socket_table::leave(bytes, socket, handle, 1));
    handle_table::free(bytes, handle);
}

std::uint32_t entries(const table_view& bytes)
{
    std::uint32_t count = 0;
    for (std::uint32_t index = 0; index < bytes.sockets_backed(); ++index)
        for (const atomic_u64& place : bytes.socket(index)->cookies)
            count += place.load() != 0;
    return count;
}

} // namespace

TEST_CASE("a live socket is found by its cookie, and one that has ended is not")
{
    own_tables own;
    record_id handle;
    const record_id one = build(own.bytes, 500, &handle);
    const record_id two = build(own.bytes, 501);
    CHECK(cookie_index::find(own.bytes, 500) == one);
    CHECK(cookie_index::find(own.bytes, 501) == two);
    CHECK_FALSE(cookie_index::find(own.bytes, 502));
    end(own.bytes, one, handle);
    CHECK_FALSE(cookie_index::find(own.bytes, 500));
    CHECK(cookie_index::find(own.bytes, 501) == two);
    CHECK(entries(own.bytes) == 1);
    const record_id anew = build(own.bytes, 500); // in the same slot, with another generation
    CHECK(anew.index == one.index);
    CHECK(cookie_index::find(own.bytes, 500) == anew);
}

TEST_CASE("a socket is found by its cookie after the table has grown")
{
    own_tables own({.processes = 8, .names = 4, .handles = 70'000, .sockets = 70'000});
    std::vector<record_id> sockets;
    for (const std::uint32_t backed : {1u, 2u, 3u, 16u, 48u, 700u, 4096u, 70'000u}) {
        own.bytes.header->sockets_backed = backed;
        while (sockets.size() < backed)
            sockets.push_back(build(own.bytes, 1000 + sockets.size()));
        bool all = true;
        for (std::uint32_t i = 0; i < sockets.size(); ++i)
            all = all && cookie_index::find(own.bytes, 1000 + i) == sockets[i];
        CHECK(all);
    }
    CHECK(own.bytes.header->cookies_missing.load() == 0);
}

TEST_CASE("entries that processes left when they died make room for new ones")
{
    own_tables own;
    for (std::uint32_t index = 0; index < 8; ++index)
        for (atomic_u64& place : own.bytes.socket(index)->cookies)
            place.store(record_id{index + 1, 77}.as_number()); // of uses of the slots that have ended
    const record_id one = build(own.bytes, 500);
    CHECK(cookie_index::find(own.bytes, 500) == one);
    CHECK(own.bytes.header->cookies_missing.load() == 0);
}

TEST_CASE("a socket that finds no place in the index is found by a look at all slots")
{
    own_tables own({.processes = 8, .names = 4, .handles = 32, .sockets = 1});
    own.bytes.header->sockets_backed = 1;
    record_id handle;
    const record_id one = build(own.bytes, 500, &handle);
    for (atomic_u64& place : own.bytes.socket(0)->cookies)
        place.store(record_id{1, one.generation}.as_number()); // all are of live sockets
    cookie_index::add(own.bytes, one, 500);
    CHECK(own.bytes.header->cookies_missing.load() == 1);
    for (atomic_u64& place : own.bytes.socket(0)->cookies)
        place.store(0);
    CHECK(cookie_index::find(own.bytes, 500) == one);
}

TEST_CASE("random bytes in the index by cookie lead to no socket of another cookie, and new sockets are still found")
{
    own_tables own;
    const record_id one = build(own.bytes, 500);
    std::uint64_t noise = 12345;
    for (std::uint32_t index = 0; index < 8; ++index)
        for (atomic_u64& place : own.bytes.socket(index)->cookies)
            place.store(noise = noise * 6364136223846793005u + 1442695040888963407u);
    CHECK_FALSE(cookie_index::find(own.bytes, 499));
    const record_id two = build(own.bytes, 501);
    CHECK(cookie_index::find(own.bytes, 501) == two);
    CHECK(socket_table::find(own.bytes, one) != nullptr);
}
