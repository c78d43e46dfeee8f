// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <utility>

namespace sharedsock::restart {

/// Owns one descriptor of this process. One thread at a time.
class descriptor {
public:
    descriptor() noexcept = default; ///< none
    explicit descriptor(int number) noexcept : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept;
    ~descriptor(); ///< closes it

    explicit operator bool() const noexcept { return number_ >= 0; }
    int native_handle() const noexcept { return number_; }        ///< -1 if there is none
    int release() noexcept { return std::exchange(number_, -1); } ///< gives it to the caller

private:
    int number_ = -1;
};

} // namespace sharedsock::restart
