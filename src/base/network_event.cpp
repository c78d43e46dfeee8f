// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/stored_error.hpp"

#include <sharedsock/network_event.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace sharedsock {

namespace {

constexpr const char* names[] = {
    "read", "write", "oob", "accept", "connect", "close", "qos", "group_qos", "routing_interface_change", "address_list_change"};
static_assert((1u << std::size(names)) - 1 == static_cast<std::uint32_t>(network_event::all));

} // namespace

std::string to_string(network_event mask)
{
    std::string text;
    const auto bits = static_cast<std::uint32_t>(mask);
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
        if ((bits >> bit & 1u) == 0) {
            continue;
        }
        text += text.empty() ? "" : "|";
        text += bit < std::size(names) ? names[bit] : "bit " + std::to_string(bit);
    }
    return text.empty() ? "none" : text;
}

error_code network_events::error(network_event one) const noexcept
{
    const auto bits = static_cast<std::uint32_t>(one);
    const auto bit  = static_cast<std::size_t>(std::countr_zero(bits));
    if (!std::has_single_bit(bits) || bit >= errors.size() || !has(one)) {
        return {};
    }
    return detail::told_error(errors[bit]);
}

} // namespace sharedsock
