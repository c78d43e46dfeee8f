// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"
#include "winsock/number_table.hpp"

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
    CHECK(a == 1); // small ones at first, for people to read
    CHECK(b == 2);
    CHECK(*all.find(a) == "a");
    CHECK(*all.find(b) == "b");
    for (const std::uintptr_t stranger : {std::uintptr_t{0}, std::uintptr_t{3}, ~std::uintptr_t{0}, a | std::uintptr_t{1} << 24})
        CHECK(all.find(stranger) == nullptr);
}

TEST_CASE("a number is stale for ever when its object has gone, though its place is used again", "[winsock][DUP-11]")
{
    table all;
    std::set<std::uintptr_t> used;
    for (int i = 0; i < 1000; ++i) {
        const auto number = all.insert(object("x"));
        CHECK(used.insert(number).second);
        CHECK(all.erase(number) != nullptr);
        CHECK(all.erase(number) == nullptr);
        CHECK(all.find(number) == nullptr);
    }
    CHECK(*used.rbegin() % (1u << 24) == 1); // one place, a thousand incarnations
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
