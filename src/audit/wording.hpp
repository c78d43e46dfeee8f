// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sharedsock::command {

// The words for people and programs. No state, no system call but the clock's.

std::string to_hex(std::uint64_t number);                            ///< 16 digits
std::string to_uuid(std::span<const std::uint8_t, 16> bytes);        ///< 8-4-4-4-12 digits
std::string to_size(std::uint64_t bytes);                            ///< "84 KiB"
std::string to_age(std::uint64_t since_ns);                          ///< "3 h", from a CLOCK_REALTIME stamp until now; "?" for none
std::string to_date(std::uint64_t since_ns);                         ///< "2025-11-22 21:52:03 UTC"
std::string counted(std::uint64_t count, std::string_view singular); ///< "1 process", "2 processes"
std::string joined(const std::vector<std::string>& parts, std::string_view between);
std::string or_dash(std::string text); ///< "-" for nothing

/// A text of another process, fit for a terminal: control characters and bytes that are not UTF-8 as \x1b.
std::string printable(std::string_view text);
/// The inside of a JSON string, in ASCII.
std::string json_escaped(std::string_view text);

} // namespace sharedsock::command
