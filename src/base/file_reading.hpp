// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <optional>
#include <string>
#include <vector>

namespace sharedsock::detail {

/// The content of a file, to its end; nothing if it cannot be opened or read. For proc(5), whose files are small.
std::optional<std::string> read_file(const std::string& path);
/// The names in a directory, without "." and "..".
std::vector<std::string> entries_of(int directory, error_code& ec);
std::vector<std::string> entries_of(const std::string& path, error_code& ec);

/// Whether proc(5) is mounted for this process. Some containers lack it; a call that needs it reports that.
bool proc_is_mounted() noexcept;

} // namespace sharedsock::detail
