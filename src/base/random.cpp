// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/random.hpp"

#include "base/new_fd.hpp"
#include "base/process_instance.hpp"
#include "base/syscall.hpp"

#include <iterator>

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

std::uint64_t random_number(error_code& ec) noexcept
{
    struct supply {
        std::uint64_t numbers[32]; // 256 bytes: as many as getrandom(2) gives without a chance of less
        std::size_t left       = 0;
        std::uint64_t instance = 0;
    };
    ec.clear();
    thread_local supply mine;
    if (mine.left == 0 || mine.instance != process_instance()) { // a forked child must not repeat its parent's numbers
        fill_random(std::as_writable_bytes(std::span(mine.numbers)), ec);
        if (ec) return 0;
        mine.left     = std::size(mine.numbers);
        mine.instance = process_instance();
    }
    return mine.numbers[--mine.left];
}

} // namespace sharedsock::detail
