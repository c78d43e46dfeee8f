// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "audit/cookie_inspection.hpp"

#include "tables/cookie_index.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>

namespace sharedsock::command {
namespace {

using namespace detail;

// Linux before 5.10 counts the cookies of each network namespace by themselves: sockets of two kinds may have one cookie.
struct live_slot {
    std::uint64_t cookie;
    std::int32_t family, type, protocol;
    std::uint32_t index;

    auto kernel_socket() const { return std::tie(cookie, family, type, protocol); }
};

} // namespace

std::vector<std::string> contradictions_of_cookies(const table_view& bytes)
{
    std::vector<live_slot> live;
    for (std::uint32_t index = 0; index < bytes.sockets_backed(); ++index) {
        const socket_slot& slot = *bytes.socket(index);
        if (load(slot).state == slot_state::live && slot.cookie != 0) // no socket of the kernel has cookie 0
            live.push_back({slot.cookie, slot.family, slot.type, slot.protocol, index});
    }
    std::sort(live.begin(), live.end(), [](const live_slot& one, const live_slot& other) {
        return std::tuple_cat(one.kernel_socket(), std::tie(one.index)) <
               std::tuple_cat(other.kernel_socket(), std::tie(other.index));
    });
    const auto name_of = [&](std::uint32_t index) {
        return "socket " + std::to_string(index) + '.' + std::to_string(load(*bytes.socket(index)).generation);
    };
    std::vector<std::string> found;
    for (std::size_t i = 0; i < live.size(); ++i) {
        if (i > 0 && live[i - 1].kernel_socket() == live[i].kernel_socket())
            found.push_back(name_of(live[i - 1].index) + " and " + name_of(live[i].index) +
                            " are one socket of the kernel, with cookie " + std::to_string(live[i].cookie));
        else if (!cookie_index::find(bytes, live[i].cookie))
            found.push_back(name_of(live[i].index) + " is missing in the index by cookie");
    }
    return found;
}

} // namespace sharedsock::command
