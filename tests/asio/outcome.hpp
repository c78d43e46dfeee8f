// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cstddef>

namespace test {

/// The arguments of a handler's last call, and how often it was called.
struct outcome {
    sharedsock::error_code ec;
    std::size_t bytes = 0;
    int calls         = 0;
    auto record()
    {
        return [this](sharedsock::error_code e, std::size_t n) {
            ec    = e;
            bytes = n;
            ++calls;
        };
    }
};

} // namespace test
