// Catch2, version 2 or 3: the one header of it that tests include.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace test {

/// CHECK_THAT(text, test::contains("part")): version 3 renamed the matcher.
#if __has_include(<catch2/catch_all.hpp>)
inline auto contains(const std::string& part) { return Catch::Matchers::ContainsSubstring(part); }
#else
inline auto contains(const std::string& part) { return Catch::Matchers::Contains(part); }
#endif

} // namespace test
