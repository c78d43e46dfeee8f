// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"
#include "winsock/number_table.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

using table = sharedsock::winsock::detail::number_table<std::string>;

namespace {

std::shared_ptr<std::string> object(const char* text) { return std::make_shared<std::string>(text); }

} // namespace

TEST_CASE("an object is found under its number and under no other", "[winsock]")
{
    table all;
    const auto a = all.insert(object("a"));
    const auto b = all.insert(object("b"));
    CHECK(a == (1u << 30 | 1)); // no descriptor has such a number
    CHECK(b == (1u << 30 | 2));
    CHECK(*all.find(a) == "a");
    CHECK(*all.find(b) == "b");
    for (const std::uintptr_t stranger :
         {std::uintptr_t{0}, std::uintptr_t{1}, ~std::uintptr_t{0}, a | std::uintptr_t{1} << 24, a | std::uintptr_t{1} << 32})
        CHECK(all.find(stranger) == nullptr);
}

TEST_CASE("a number is below 2 to the 31st and comes back after 256 lives of a thousand places", "[winsock][DUP-11]")
{
    table all;
    std::set<std::uintptr_t> used;
    for (std::size_t i = 0; i < 256 * table::rest; ++i) {
        const auto number = all.insert(object("x"));
        if (number > 0x7fff'ffff || !used.insert(number).second) FAIL("object " << i << " has the number " << number);
        all.erase(number);
    }
    const auto first = *used.begin();
    CHECK(all.erase(first) == nullptr);
    CHECK(all.find(first) == nullptr);
}

TEST_CASE("clearing ends all numbers and hands out their objects", "[winsock]")
{
    table all;
    const auto a = all.insert(object("a"));
    const auto b = all.insert(object("b"));
    all.erase(a);
    const auto rest = all.clear();
    REQUIRE(rest.size() == 1);
    CHECK(*rest.front() == "b");
    CHECK(all.find(b) == nullptr);
    CHECK(all.clear().empty());
    CHECK(all.insert(object("c")) != b);
}
