// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/failure_note.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

struct note {
    error_code of;
    char text[512] = {};
};
thread_local note last;

// The path of an open file, for people; empty without proc(5).
void path_of(int file, char (&path)[256]) noexcept
{
    char link[64];
    std::snprintf(link, sizeof link, "/proc/thread-self/fd/%d", file);
    const ssize_t length          = file == AT_FDCWD ? 0 : ::readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
}

} // namespace

void note_failure(const error_code& ec, const char* call, int directory, const char* name) noexcept
{
    const int before = errno;
    char path[256];
    path_of(directory, path);
    last.of = ec;
    std::snprintf(last.text, sizeof last.text, "%s %s%s%s as user %u, group %u", call, path, *path && *name ? "/" : "", name,
                  ::geteuid(), ::getegid());
    errno = before;
}

void make_note() noexcept { static_cast<void>(*static_cast<volatile char*>(last.text)); }

void forget_failure() noexcept { last.of = {}; }

std::string noted_failure(const error_code& ec) { return ec && last.of == ec ? std::string(last.text) + ": " : std::string(); }

} // namespace sharedsock::detail
