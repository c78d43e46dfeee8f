// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace test {

/// How many descriptors this process has open.
inline std::size_t open_descriptors()
{
    using listing = std::filesystem::directory_iterator;
    return static_cast<std::size_t>(std::distance(listing("/proc/self/fd"), listing())) - 1; // without that of the listing
}

/// How many of its descriptors are of the same file or socket as this one, itself included.
inline int descriptors_like(int descriptor)
{
    const auto target = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor));
    int count         = 0;
    for (const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone; // the listing's own
        count += std::filesystem::read_symlink(one.path(), gone) == target;
    }
    return count;
}

/// While it lives this process gets no descriptor more (EMFILE); open ones stay open.
class no_more_descriptors {
public:
    no_more_descriptors()
    {
        const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (lowest < 0 || ::getrlimit(RLIMIT_NOFILE, &before_) != 0)
            throw std::system_error(errno, std::generic_category(), "no_more_descriptors");
        ::close(lowest);
        const rlimit now{static_cast<rlim_t>(lowest), before_.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &now) != 0) throw std::system_error(errno, std::generic_category(), "no_more_descriptors");
    }
    ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    no_more_descriptors(const no_more_descriptors&)            = delete;
    no_more_descriptors& operator=(const no_more_descriptors&) = delete;

private:
    rlimit before_{};
};

} // namespace test
