// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "systemd/variables.hpp"

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstddef>
#include <system_error>

#include <sys/un.h>

namespace sharedsock::detail::manager_text {

std::optional<std::uint64_t> number(std::string_view text) noexcept
{
    std::uint64_t value     = 0;
    const char* const last  = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    if (error != std::errc{} || end != last) return {};
    return value;
}

std::optional<std::vector<std::string>> passed_names(pid_t self, const char* listen_pid, const char* listen_fds,
                                                     const char* listen_fd_names)
{
    std::vector<std::string> names;
    if (listen_pid == nullptr) return names;
    const auto pid = number(listen_pid);
    if (!pid || *pid == 0) return {};
    if (*pid != static_cast<std::uint64_t>(self) || listen_fds == nullptr) return names;
    const auto count = number(listen_fds);
    if (!count || *count > INT_MAX - 3) return {};
    if (listen_fd_names == nullptr) {
        names.assign(static_cast<std::size_t>(*count), "unknown");
        return names;
    }
    for (std::string_view rest = listen_fd_names; *count > 0;) {
        const std::size_t colon = rest.find(':');
        names.emplace_back(rest.substr(0, colon));
        if (colon == std::string_view::npos) break;
        rest.remove_prefix(colon + 1);
    }
    if (names.size() != *count) return {};
    return names;
}

std::optional<socket_address> notify_address(std::string_view text)
{
    if (text.size() < 2 || text.size() >= sizeof(sockaddr_un::sun_path) || (text[0] != '/' && text[0] != '@')) return {};
    std::string path(text);
    if (path[0] == '@') path[0] = '\0';
    return socket_address::local(path);
}

bool is_descriptor_name(std::string_view name) noexcept
{
    return !name.empty() && name.size() <= 255 &&
           std::all_of(name.begin(), name.end(), [](char one) { return one >= ' ' && one < 0x7f && one != ':'; });
}

} // namespace sharedsock::detail::manager_text
