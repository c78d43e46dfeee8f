// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <boost/assert.hpp>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace sharedsock::detail {

/// The name or the path of a file of the segment, made of pieces and numbers. It takes no memory from the heap: a forked child, in
/// its fork hook, cannot have any.
class short_text {
public:
    template <class... Pieces>
    explicit short_text(const Pieces&... pieces) noexcept
    {
        (append(pieces), ...);
    }

    const char* c_str() const noexcept { return text_; }
    std::size_t size() const noexcept { return size_; }

private:
    void append(std::string_view piece) noexcept
    {
        BOOST_ASSERT(size_ + piece.size() < sizeof text_);
        std::memcpy(text_ + size_, piece.data(), piece.size());
        size_ += piece.size();
    }
    void append(const short_text& piece) noexcept { append(std::string_view(piece.text_, piece.size_)); }
    void append(std::integral auto number) noexcept
    {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
    }

    char text_[96]    = {};
    std::size_t size_ = 0;
};

} // namespace sharedsock::detail
