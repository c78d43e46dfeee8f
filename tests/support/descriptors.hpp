// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace test {

/// How many descriptors this process has open.
inline std::size_t open_descriptors()
{
    using listing = std::filesystem::directory_iterator;
    return static_cast<std::size_t>(std::distance(listing("/proc/self/fd"), listing())) - 1; // without that of the listing
}

} // namespace test
