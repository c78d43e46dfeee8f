// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace sharedsock::winsock::detail {

/// Objects by number, as behind a SOCKET, a WSAEVENT and an HWND. A number is a place and an incarnation of that place,
///
///     30  29            22  21             0
///     1  |  incarnation   |  place, from 1  |
///
/// so it fits into an int, is never 0, and no process opens so many descriptors that one of them has it: a SOCKET that a program
/// gives to close(2) or read(2) is EBADF. A place is used again after `rest` others have become free, so a number returns after
/// 256 times `rest` objects have gone (WSK-1). Guarded by the layer's mutex.
template <class Object>
class number_table {
public:
    static constexpr std::size_t capacity    = (1u << 22) - 1;
    static constexpr std::size_t rest        = 1024;
    static constexpr std::uintptr_t mark     = 1u << 30;
    static constexpr unsigned place_bits     = 22;
    static constexpr std::uint32_t last_life = 255;

    /// A number for `object`; 0 if the table is full.
    std::uintptr_t insert(std::shared_ptr<Object> object)
    {
        std::uint32_t index = first_free_;
        if (free_count_ > rest || places_.size() == capacity) {
            if (index == none) return 0;
            first_free_ = places_[index].next_free;
            if (--free_count_ == 0) last_free_ = none;
        } else {
            index = static_cast<std::uint32_t>(places_.size());
            places_.emplace_back();
        }
        places_[index].object = std::move(object);
        return number_of(index);
    }

    /// The object; null for a number that is not, or not any more, in use.
    std::shared_ptr<Object> find(std::uintptr_t number) const
    {
        const std::size_t index = index_of(number);
        return index < places_.size() && number_of(index) == number ? places_[index].object : nullptr;
    }

    /// Ends a number; returns its object, for the caller to end outside of the mutex. Null as in `find`.
    std::shared_ptr<Object> erase(std::uintptr_t number) noexcept
    {
        const std::size_t index = index_of(number);
        if (index >= places_.size() || number_of(index) != number || places_[index].object == nullptr) return nullptr;
        place& ended      = places_[index];
        ended.incarnation = ended.incarnation == last_life ? 0 : ended.incarnation + 1;
        ended.next_free   = none;
        const auto mine   = static_cast<std::uint32_t>(index);
        (last_free_ == none ? first_free_ : places_[last_free_].next_free) = mine;
        last_free_                                                         = mine;
        ++free_count_;
        return std::exchange(ended.object, nullptr);
    }

    /// Ends all numbers; their objects.
    std::vector<std::shared_ptr<Object>> clear()
    {
        std::vector<std::shared_ptr<Object>> all;
        all.reserve(places_.size());
        for (std::size_t index = 0; index < places_.size(); ++index)
            if (places_[index].object != nullptr) all.push_back(erase(number_of(index)));
        return all;
    }

private:
    static constexpr std::uint32_t none = 0xffff'ffff;

    struct place {
        std::shared_ptr<Object> object; // null: free
        std::uint32_t incarnation = 0;
        std::uint32_t next_free   = none;
    };

    static std::size_t index_of(std::uintptr_t number) noexcept { return (number & capacity) - 1; } // 0 becomes too large
    std::uintptr_t number_of(std::size_t index) const noexcept
    {
        return mark | std::uintptr_t{places_[index].incarnation} << place_bits | (index + 1);
    }

    std::vector<place> places_;
    std::uint32_t first_free_ = none; // the free places, the one that has been free for longest first
    std::uint32_t last_free_  = none;
    std::size_t free_count_   = 0;
};

} // namespace sharedsock::winsock::detail
