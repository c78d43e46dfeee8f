// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/socket_address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// The texts of the service manager's variables and messages, by sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3). Pure.
namespace sharedsock::detail::manager_text {

/// A decimal number without a sign, and nothing else.
std::optional<std::uint64_t> number(std::string_view text) noexcept;

/// The names of descriptors 3, 4, ... that were passed to the process `self`; none if they were passed to another process, or none
/// were. `nullptr` stands for a variable that is not set. Nothing: a variable is malformed.
std::optional<std::vector<std::string>> passed_names(pid_t self, const char* listen_pid, const char* listen_fds,
                                                     const char* listen_fd_names);

/// The address that NOTIFY_SOCKET stands for. Nothing: neither a path nor an abstract name, or too long.
std::optional<socket_address> notify_address(std::string_view text);

/// Whether `name` may be an FDNAME=.
bool is_descriptor_name(std::string_view name) noexcept;

} // namespace sharedsock::detail::manager_text
