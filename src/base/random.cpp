// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/random.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

// Calls `give` until the room is full. False if it fails, or gives nothing.
template <class Call>
bool fill(std::span<std::byte> room, Call give) noexcept
{
    while (!room.empty()) {
        const ssize_t got = uninterrupted([&] { return give(room.data(), room.size()); });
        if (got <= 0) return false;
        room = room.subspan(static_cast<std::size_t>(got));
    }
    return true;
}

} // namespace

void fill_random(std::span<std::byte> room, error_code& ec) noexcept
{
    ec.clear();
    if (fill(room, [](void* to, std::size_t size) { return ::getrandom(to, size, 0); })) return;
    ec                   = last_error(sys<"getrandom">);
    const unique_fd file = new_fd::open("/dev/urandom", O_RDONLY);
    if (file && fill(room, [&](void* to, std::size_t size) { return ::read(file.get(), to, size); })) ec.clear();
}

} // namespace sharedsock::detail
