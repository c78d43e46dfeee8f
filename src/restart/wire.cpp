// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/wire.hpp"

#include <sharedsock/hand_over.hpp>

#include <algorithm>
#include <cstring>

namespace sharedsock::restart::detail::wire {
namespace {

constexpr std::uint32_t magic       = 0x31535253; // "SRS1"
constexpr std::size_t head_bytes    = 16;
constexpr std::size_t field_bytes   = 8; // before the value
constexpr std::uint16_t must_know   = 1;
constexpr std::uint16_t first_text  = 32;
constexpr std::uint16_t newest_kind = static_cast<std::uint16_t>(kind::leaving);

struct number_field {
    std::uint16_t id;
    std::uint64_t message::*value;
    bool required; // a receiver that does not know it must not go on
};
constexpr number_field numbers[] = {
    {1, &message::number, true},    {2, &message::tag, true},     {3, &message::size, true},
    {4, &message::in_memory, true}, {5, &message::pid, false},    {6, &message::oldest, true},
    {7, &message::newest, true},    {8, &message::layout, false}, {9, &message::count, true},
};
struct text_field {
    std::uint16_t id;
    std::string message::*value;
    bool required;
};
constexpr text_field texts[] = {
    {32, &message::text, false},
    {33, &message::name, true},
    {34, &message::library, false},
};
constexpr std::uint16_t bytes_id = 40;

void put(std::vector<std::byte>& to, std::uint64_t value, std::size_t bytes)
{
    for (std::size_t i = 0; i < bytes; ++i)
        to.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
}

std::uint64_t get(std::span<const std::byte> from, std::size_t at, std::size_t bytes) noexcept
{
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value |= std::to_integer<std::uint64_t>(from[at + i]) << (8 * i);
    return value;
}

void put_field(std::vector<std::byte>& to, std::uint16_t id, bool required, std::span<const std::byte> value)
{
    put(to, id, 2);
    put(to, required ? must_know : 0, 2);
    put(to, value.size(), 4);
    to.insert(to.end(), value.begin(), value.end());
}

// False: the value has the wrong form.
bool take_field(message& into, std::uint16_t id, std::span<const std::byte> value, bool& known)
{
    known = true;
    if (id < first_text && value.size() != 8) return false;
    for (const number_field& one : numbers)
        if (one.id == id) return into.*one.value = get(value, 0, 8), true;
    for (const text_field& one : texts)
        if (one.id == id) {
            (into.*one.value).assign(reinterpret_cast<const char*>(value.data()), value.size());
            return true;
        }
    if (id == bytes_id)
        into.bytes.assign(value.begin(), value.end());
    else
        known = false;
    return true;
}

// Whether the parts of a message that concern its kind agree with each other.
bool makes_sense(const message& one) noexcept
{
    switch (one.what) {
    case kind::hello:
        return one.oldest != 0 && one.oldest <= one.newest;
    case kind::welcome:
        return one.newest != 0;
    case kind::listener:
        return !one.name.empty();
    case kind::gift:
        return one.number != 0 && one.size <= max_carry &&
               (one.in_memory == 0 ? one.bytes.size() == one.size : one.in_memory == 1 && one.bytes.empty());
    case kind::taken:
    case kind::declined:
        return one.number != 0;
    default:
        return true;
    }
}

} // namespace

std::vector<std::byte> encode(const message& one)
{
    std::vector<std::byte> made;
    put(made, magic, 4);
    put(made, static_cast<std::uint16_t>(one.what), 2);
    put(made, must_know, 2);
    put(made, 0, 8);
    for (const number_field& field : numbers)
        if (const std::uint64_t value = one.*field.value; value != 0) {
            std::vector<std::byte> eight;
            put(eight, value, 8);
            put_field(made, field.id, field.required, eight);
        }
    for (const text_field& field : texts)
        if (const std::string& value = one.*field.value; !value.empty())
            put_field(made, field.id, field.required, std::as_bytes(std::span(value).first(std::min(value.size(), longest_text))));
    if (!one.bytes.empty()) put_field(made, bytes_id, true, one.bytes);
    const std::size_t body = made.size() - head_bytes;
    for (std::size_t i = 0; i < 4; ++i)
        made[8 + i] = static_cast<std::byte>(body >> (8 * i) & 0xff);
    return made;
}

decoded decode(std::span<const std::byte> bytes)
{
    decoded found;
    if (bytes.size() < head_bytes || get(bytes, 0, 4) != magic || get(bytes, 8, 4) != bytes.size() - head_bytes) return found;
    const auto what     = static_cast<std::uint16_t>(get(bytes, 4, 2));
    const bool required = (get(bytes, 6, 2) & must_know) != 0;
    if (what == 0 || what > newest_kind) {
        found.is = required ? verdict::not_understood : verdict::skipped;
        return found;
    }
    found.text.what     = static_cast<kind>(what);
    bool not_understood = false;
    for (auto rest = bytes.subspan(head_bytes); !rest.empty();) {
        if (rest.size() < field_bytes) return found;
        const auto id          = static_cast<std::uint16_t>(get(rest, 0, 2));
        const bool must        = (get(rest, 2, 2) & must_know) != 0;
        const std::size_t size = get(rest, 4, 4);
        rest                   = rest.subspan(field_bytes);
        bool known             = false;
        if (size > rest.size() || !take_field(found.text, id, rest.first(size), known)) return found;
        rest = rest.subspan(size);
        if (known) continue;
        ++found.skipped_fields;
        not_understood = not_understood || must;
    }
    found.is = not_understood ? verdict::not_understood : makes_sense(found.text) ? verdict::good : verdict::malformed;
    return found;
}

std::size_t descriptors_of(const message& one) noexcept
{
    switch (one.what) {
    case kind::welcome:
    case kind::listener:
        return 1;
    case kind::go:
        return 2;
    case kind::gift:
        return one.in_memory != 0 ? 2 : 1;
    default:
        return 0;
    }
}

std::optional<std::uint32_t> common_protocol(std::uint64_t oldest, std::uint64_t newest) noexcept
{
    const std::uint64_t best = std::min<std::uint64_t>(newest, newest_protocol);
    if (best < oldest || best < oldest_protocol) return {};
    return static_cast<std::uint32_t>(best);
}

} // namespace sharedsock::restart::detail::wire
