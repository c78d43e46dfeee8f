// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/carry.hpp"

#include "base/sealed_memory.hpp"

#include <utility>

namespace sharedsock::detail {
packed_carry pack(const carry& with, error_code& ec) noexcept
{
    ec.clear();
    packed_carry packed;
    packed.label.tag        = with.tag;
    packed.label.size_bytes = with.bytes.size();
    if (with.bytes.size() > max_carry) {
        ec = errc::carry_too_large;
    } else if (with.bytes.size() > carry_in_message) {
        packed.label.in_memory = 1;
        packed.memory          = sealed_memory::make("sharedsock-carry", {&with.bytes, 1}, ec);
    } else {
        packed.in_message = with.bytes;
    }
    return packed;
}

std::vector<std::byte> unpack(delivered_carry& from, error_code& ec)
{
    ec.clear();
    if (from.label.in_memory == 0) return std::move(from.in_message);
    const auto size = sealed_memory::size_of(from.memory.get(), ec);
    if (ec) return {};
    if (!size || *size != from.label.size_bytes || *size > max_carry) {
        ec = errc::bad_hand_over;
        return {};
    }
    std::vector<std::byte> bytes(*size);
    sealed_memory::read(from.memory.get(), 0, bytes, ec);
    return bytes;
}

} // namespace sharedsock::detail
