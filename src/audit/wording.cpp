// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "audit/wording.hpp"

#include "base/wall_clock.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

namespace sharedsock::command {
namespace {

template <class... Values>
std::string formatted(const char* format, Values... values)
{
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

// One character of a text: its code point and its size in bytes. A byte that begins no valid UTF-8 is a character by itself.
struct character {
    std::uint32_t code;
    std::size_t bytes;
    bool valid;
};

character first_character(std::string_view text)
{
    const auto byte          = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {lead, 1, true};
    }
    const std::size_t length           = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x1'0000};
    std::uint32_t code                 = lead & (0xffu >> (length + 1));
    bool valid                         = lead >= 0xc0 && lead < 0xf8 && text.size() >= length;
    for (std::size_t at = 1; valid && at < length; ++at) {
        valid = (byte(at) & 0xc0) == 0x80;
        code  = code << 6 | (byte(at) & 0x3fu);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (!valid || code < smallest[length] || code > 0x10'ffff || surrogate) {
        return {lead, 1, false};
    }
    return {code, length, true};
}

} // namespace

std::string to_hex(std::uint64_t number) { return formatted("%016llx", static_cast<unsigned long long>(number)); }

std::string to_uuid(std::span<const std::uint8_t, 16> bytes)
{
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        const bool hyphen = at == 4 || at == 6 || at == 8 || at == 10;
        text += formatted(hyphen ? "-%02x" : "%02x", static_cast<unsigned>(bytes[at]));
    }
    return text;
}

std::string to_size(std::uint64_t bytes)
{
    const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto amount               = static_cast<double>(bytes);
    std::size_t unit          = 0;
    while (amount >= 1024 && unit + 1 < std::size(units)) {
        amount /= 1024;
        ++unit;
    }
    return formatted(unit == 0 || amount >= 10 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
}

std::string to_age(std::uint64_t since_ns)
{
    if (since_ns == 0) {
        return "?";
    }
    struct unit {
        std::uint64_t seconds;
        const char* name;
    };
    constexpr unit units[]      = {{86'400, "d"}, {3'600, "h"}, {60, "min"}};
    const std::uint64_t now     = detail::wall_clock_ns();
    const std::uint64_t seconds = now > since_ns ? (now - since_ns) / 1'000'000'000u : 0;
    for (const unit& each : units) {
        if (seconds >= 2 * each.seconds) { // "90 s" says more than "1 min"
            return std::to_string(seconds / each.seconds) + ' ' + each.name;
        }
    }
    return std::to_string(seconds) + " s";
}

std::string to_date(std::uint64_t since_ns)
{
    const auto seconds = static_cast<std::time_t>(since_ns / 1'000'000'000u);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    std::strftime(text.data(), text.size(), "%F %T UTC", &parts);
    return text.data();
}

std::string counted(std::uint64_t count, std::string_view singular)
{
    std::string text = std::to_string(count) + ' ' + std::string(singular);
    if (count != 1) {
        text += singular.ends_with('s') ? "es" : "s";
    }
    return text;
}

std::string joined(const std::vector<std::string>& parts, std::string_view between)
{
    std::string text;
    for (const std::string& part : parts) {
        if (!text.empty()) {
            text += between;
        }
        text += part;
    }
    return text;
}

std::string or_dash(std::string text) { return text.empty() ? "-" : std::move(text); }

std::string printable(std::string_view text)
{
    std::string result;
    while (!text.empty()) {
        const character next = first_character(text);
        const bool control   = next.code < 0x20 || (next.code >= 0x7f && next.code < 0xa0);
        if (next.valid && !control) {
            result += text.substr(0, next.bytes);
        } else {
            result += formatted("\\x%02x", next.code);
        }
        text.remove_prefix(next.bytes);
    }
    return result;
}

std::string json_escaped(std::string_view text)
{
    std::string result;
    while (!text.empty()) {
        const auto [code, bytes, valid] = first_character(text);
        if (code == '"' || code == '\\') {
            result += {'\\', static_cast<char>(code)};
        } else if (code >= 0x20 && code < 0x7f) {
            result += static_cast<char>(code);
        } else if (code < 0x1'0000) {
            result += formatted("\\u%04x", code);
        } else { // a surrogate pair
            result += formatted("\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
        }
        text.remove_prefix(bytes);
    }
    return result;
}

} // namespace sharedsock::command
