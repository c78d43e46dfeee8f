// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor_entry.hpp"

#include "base/file_reading.hpp"

#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/epoll.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

std::optional<int> as_descriptor(const std::string& name) noexcept
{
    int value               = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    return error == std::errc() && end == name.data() + name.size() ? std::optional(value) : std::nullopt;
}

} // namespace

std::optional<std::uint64_t> data_in(const char* fdinfo_line, int descriptor) noexcept
{
    int of               = -1;
    std::uint32_t events = 0;
    std::uint64_t data   = 0;
    if (std::sscanf(fdinfo_line, "tfd: %d events: %" SCNx32 " data: %" SCNx64, &of, &events, &data) != 3) return std::nullopt;
    if (of != descriptor || (events & EPOLLET) == 0) return std::nullopt;
    return data;
}

std::optional<reactor_entry> take_reactor_entry(int descriptor)
{
    std::optional<reactor_entry> found;
    const std::string directory = "/proc/self/fdinfo";
    error_code none; // if there is no /proc
    for (const std::string& name : entries_of(directory, none)) {
        const std::optional<int> epoll = as_descriptor(name);
        const auto text                = epoll ? read_file(directory + '/' + name) : std::nullopt;
        if (!text) continue; // another thread has closed the descriptor meanwhile
        std::istringstream lines(*text);
        for (std::string line; std::getline(lines, line);) {
            const std::optional<std::uint64_t> data = data_in(line.c_str(), descriptor);
            if (!data) continue;
            if (found) return std::nullopt;
            found = reactor_entry{*epoll, *data};
        }
    }
    if (!found || ::epoll_ctl(found->epoll, EPOLL_CTL_DEL, descriptor, nullptr) != 0) return std::nullopt;
    return found;
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
