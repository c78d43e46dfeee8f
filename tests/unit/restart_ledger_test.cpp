// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/gift_ledger.hpp"
#include "restart/listener_table.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using sharedsock::restart::detail::gift_entry;
using sharedsock::restart::detail::gift_ledger;
using sharedsock::restart::detail::listener_table;

namespace {

std::uint64_t add(gift_ledger& to, std::size_t size)
{
    gift_entry one;
    one.size = size;
    return to.add(std::move(one)).number;
}

} // namespace

TEST_CASE("a ledger of gifts is bounded in number and bytes, and lets one gift through in any case", "[restart]")
{
    gift_ledger ledger(3, 100);
    CHECK(ledger.has_room(1'000));
    CHECK(add(ledger, 60) == 1);
    CHECK(ledger.has_room(40));
    CHECK_FALSE(ledger.has_room(41));
    add(ledger, 0);
    add(ledger, 0);
    CHECK_FALSE(ledger.has_room(0));
    CHECK(ledger.answered(1));
    CHECK(ledger.has_room(100));
}

TEST_CASE("each gift is answered once, and those without an answer come back in their order", "[restart]")
{
    gift_ledger ledger(10, 100);
    for (int i = 0; i < 4; ++i)
        add(ledger, 1);
    CHECK(ledger.answered(2)->number == 2);
    CHECK_FALSE(ledger.answered(2));
    CHECK_FALSE(ledger.answered(9));
    std::string back;
    while (const gift_entry* const one = ledger.first()) {
        back += std::to_string(one->number);
        CHECK(ledger.find(one->number) == one);
        CHECK(ledger.answered(one->number));
    }
    CHECK(back == "134");
    CHECK(ledger.empty());
    CHECK_FALSE(ledger.answered(1));
    CHECK(add(ledger, 1) == 5); // a number is not used again
}

TEST_CASE("a listener is found by its name, unless it was made for another address", "[restart]")
{
    listener_table table;
    const std::vector<std::byte> one{std::byte{1}}, other{std::byte{2}};
    table.add({"http", one, {}, false});
    table.add({"log", {}, {}, false});
    CHECK(table.find("http", one) != nullptr);
    CHECK(table.find("http", {}) != nullptr);
    CHECK(table.find("http", other) == nullptr);
    CHECK(table.find("log", other) != nullptr);
    CHECK(table.find("https", one) == nullptr);
    table.find("log", {})->claimed = true;
    CHECK(table.unclaimed() == std::vector<std::string>{"http"});
    table.drop_unclaimed();
    CHECK(table.all().size() == 1);
}
