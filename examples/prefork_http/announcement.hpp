// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cerrno>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace prefork_http {

/// One thing that the supervisor says to all its workers, also to those that are forked later.
class announcement {
public:
    announcement() : number_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    {
        if (number_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
    }
    ~announcement() { ::close(number_); }
    announcement(const announcement&)            = delete;
    announcement& operator=(const announcement&) = delete;

    void make()
    {
        const std::uint64_t one = 1;
        (void)!::write(number_, &one, sizeof one); // it fails only when there is no more room for counting
    }
    bool is_made() const
    {
        pollfd asked{number_, POLLIN, 0};
        return ::poll(&asked, 1, 0) == 1;
    }
    int native_handle() const noexcept { return number_; } ///< readable as long as it is made

private:
    const int number_;
};

} // namespace prefork_http
