// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace test {

/// Chooses the points that are tried: as many as `quick`, by a seed (SHAREDSOCK_FAULT_SEED, else a new one), or all of them if
/// SHAREDSOCK_TEST_LONG is set.
class sampling {
public:
    explicit sampling(std::size_t quick) : quick_(std::getenv("SHAREDSOCK_TEST_LONG") == nullptr ? quick : ~std::size_t{0})
    {
        const char* const told = std::getenv("SHAREDSOCK_FAULT_SEED");
        seed_ = told != nullptr ? static_cast<std::uint32_t>(std::strtoul(told, nullptr, 10)) : std::random_device()();
    }

    template <class Point>
    std::vector<Point> of(const std::vector<Point>& all) const
    {
        if (all.size() <= quick_) return all;
        std::mt19937 random(seed_);
        std::vector<Point> some;
        std::sample(all.begin(), all.end(), std::back_inserter(some), quick_, random);
        return some;
    }

    std::string number() const { return std::to_string(seed_); }
    std::string text() const { return "SHAREDSOCK_FAULT_SEED=" + std::to_string(seed_); }

private:
    std::size_t quick_;
    std::uint32_t seed_ = 0;
};

} // namespace test
