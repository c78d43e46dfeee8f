// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/file_reading.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

struct directory_closer {
    void operator()(DIR* listing) const noexcept { ::closedir(listing); }
};

std::vector<std::string> entries(unique_fd own, error_code& ec)
{
    ec = {};
    std::vector<std::string> names;
    const std::unique_ptr<DIR, directory_closer> listing(own ? ::fdopendir(own.get()) : nullptr);
    if (!listing) {
        ec = last_error(own ? sys<"fcntl"> : sys<"openat">);
        return names;
    }
    (void)own.release();
    for (;;) {
        errno               = 0;
        const dirent* entry = ::readdir(listing.get());
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    if (errno != 0) ec = last_error(sys<"getdents64">);
    return names;
}

} // namespace

std::optional<std::string> read_file(const std::string& path)
{
    const unique_fd file = new_fd::open(path.c_str(), O_RDONLY);
    if (!file) {
        return std::nullopt;
    }
    std::string text;
    char part[4096];
    for (;;) {
        const ssize_t got = uninterrupted([&] { return ::read(file.get(), part, sizeof part); });
        if (got < 0) {
            return std::nullopt;
        }
        if (got == 0) {
            return text;
        }
        text.append(part, static_cast<std::size_t>(got));
    }
}

std::vector<std::string> entries_of(int directory, error_code& ec)
{
    return entries(new_fd::open_at(directory, ".", O_RDONLY | O_DIRECTORY), ec); // its own offset, which a duplicate would share
}

std::vector<std::string> entries_of(const std::string& path, error_code& ec)
{
    return entries(new_fd::open(path.c_str(), O_RDONLY | O_DIRECTORY), ec);
}

bool proc_is_mounted() noexcept { return ::access("/proc/thread-self/fd", F_OK) == 0; }

} // namespace sharedsock::detail
