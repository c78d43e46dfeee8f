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
///     63                          24 23                0
///     |  incarnation, from 0        |  place, from 1   |
///
/// so 0 is never one, the first are 1, 2, 3, and a number whose object has gone is not used again (2^40 incarnations a place).
/// Guarded by the layer's mutex.
template <class Object>
class number_table {
public:
    static constexpr std::size_t capacity = (1u << 24) - 1;

    /// A number for `object`; 0 if the table is full.
    std::uintptr_t insert(std::shared_ptr<Object> object)
    {
        if (free_.empty()) {
            if (places_.size() == capacity) return 0;
            free_.reserve(places_.size() + 1); // so that `erase` need not
            places_.emplace_back();
            free_.push_back(places_.size() - 1);
        }
        const std::size_t index = free_.back();
        places_[index].object   = std::move(object);
        free_.pop_back();
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
        ++places_[index].incarnation;
        free_.push_back(index);
        return std::exchange(places_[index].object, nullptr);
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
    struct place {
        std::shared_ptr<Object> object; // null: free
        std::uint64_t incarnation = 0;
    };

    static std::size_t index_of(std::uintptr_t number) noexcept { return (number & capacity) - 1; } // 0 becomes too large
    std::uintptr_t number_of(std::size_t index) const noexcept { return places_[index].incarnation << 24 | (index + 1); }

    std::vector<place> places_;
    std::vector<std::size_t> free_; // indexes; as much room as places_
};

} // namespace sharedsock::winsock::detail
