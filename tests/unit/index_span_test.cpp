// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "layout/index_span.hpp"

#include "support/catch.hpp"

#include <cstdint>

using namespace sharedsock::detail;

TEST_CASE("a span holds all that it was widened by, and zero bytes are an empty one")
{
    CHECK(index_span::decode(0).empty());
    CHECK_FALSE(index_span::decode(0).contains(0));
    CHECK(index_span{}.widened({7, 8}) == index_span{7, 8});
    CHECK(index_span{7, 8}.widened({}) == index_span{7, 8});
    CHECK(index_span{7, 8}.widened({3, 4}) == index_span{3, 8});
    CHECK(index_span{3, 8}.widened({5, 6}) == index_span{3, 8});
    CHECK(index_span{3, 8}.widened({max_handles - 1, max_handles}) == index_span{3, max_handles});
    CHECK(index_span::decode(index_span{3, max_handles}.encode()) == index_span{3, max_handles});

    atomic_u64 cell{0};
    for (const std::uint32_t index : {9u, 0u, 4u})
        widen(cell, index);
    CHECK(load_span(cell) == index_span{0, 10});
}

TEST_CASE("a damaged span leads no walk beyond the end of a table")
{
    CHECK(index_span{3, 0xffff'ffff}.within(100) == index_span{3, 100});
    CHECK(index_span{200, 300}.within(100).empty());
    CHECK(index_span::decode(~std::uint64_t{0}).within(100).empty());
}
