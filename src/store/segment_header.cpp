// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/segment_header.hpp"

#include "base/new_fd.hpp"
#include "base/random.hpp"
#include "base/syscall.hpp"
#include "base/unique_fd.hpp"
#include "base/wall_clock.hpp"

#include <sharedsock/segment.hpp>

#include <algorithm>
#include <cstring>
#include <span>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr bool within(std::uint32_t count, std::uint32_t most) { return count >= 1 && count <= most; }

constexpr bool possible(const capacities& capacity)
{
    return within(capacity.processes, max_processes) && within(capacity.names, max_names) &&
           within(capacity.handles, max_handles) && within(capacity.sockets, max_sockets);
}

bool known(const std::uint8_t (&id)[16])
{
    return std::any_of(std::begin(id), std::end(id), [](std::uint8_t byte) { return byte != 0; });
}

int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

} // namespace

segment_plan plan_segment(const segment_options& options, error_code& ec) noexcept
{
    ec = {};
    capacities wanted{};
    wanted.processes = options.processes;
    wanted.sockets   = options.sockets;
    wanted.names     = options.names != 0 ? options.names : std::min(options.sockets, usual_names);
    wanted.handles   = options.handles;
    if (wanted.handles == 0 && wanted.sockets <= max_sockets && wanted.processes <= max_processes) {
        wanted.handles = 2 * wanted.sockets + 4 * wanted.processes;
    }
    if (!possible(wanted)) {
        ec = errc::bad_capacity;
        return {};
    }
    return segment_plan::of(wanted);
}

void check_capacity(const capacities& has, const segment_options& options, error_code& ec) noexcept
{
    ec.clear();
    if (!options.full_capacity) {
        return;
    }
    const capacities wanted = plan_segment(options, ec).capacity;
    if (!ec && (has.sockets < wanted.sockets || has.processes < wanted.processes || has.handles < wanted.handles ||
                has.names < wanted.names)) {
        ec = errc::segment_too_small;
    }
}

void describe_segment(segment_header& header, const segment_plan& plan, bool unnamed, error_code& ec) noexcept
{
    header.magic       = segment_magic;
    header.endian      = endian_mark;
    header.version     = layout_version;
    header.layout_hash = layout_hash;
    header.capacity    = plan.capacity;
    header.size_bytes  = plan.size_bytes;
    fill_random(std::as_writable_bytes(std::span(header.uuid)), ec);
    read_boot_id(header.boot_id);
    header.created_ns  = wall_clock_ns();
    header.creator_pid = ::getpid();
    header.unnamed     = unnamed;
    struct stat space;
    if (::stat("/proc/self/ns/pid", &space) == 0) {
        header.pid_namespace = space.st_ino;
    }
}

error_code check_header(const segment_header& header, std::uint64_t file_size, const std::uint8_t (&boot_id)[16]) noexcept
{
    if (file_size < sizeof(segment_header)) {
        return errc::truncated_segment;
    }
    if (header.magic == __builtin_bswap64(segment_magic)) {
        return errc::other_byte_order;
    }
    if (header.magic != segment_magic) {
        return errc::not_a_segment;
    }
    if (header.endian != endian_mark) {
        return errc::other_byte_order;
    }
    if (header.version != layout_version || header.layout_hash != layout_hash) {
        return errc::other_layout;
    }
    if (!possible(header.capacity) || header.size_bytes != segment_plan::of(header.capacity).size_bytes) {
        return errc::segment_damaged;
    }
    if (file_size < header.size_bytes) {
        return errc::truncated_segment;
    }
    if (file_size > header.size_bytes || header.handles_backed.load() > header.capacity.handles ||
        header.sockets_backed.load() > header.capacity.sockets) {
        return errc::segment_damaged;
    }
    if (known(boot_id) && known(header.boot_id) && std::memcmp(boot_id, header.boot_id, sizeof boot_id) != 0) {
        return errc::stale_segment;
    }
    return {};
}

void read_boot_id(std::uint8_t (&id)[16]) noexcept
{
    std::fill(std::begin(id), std::end(id), std::uint8_t{0});
    const unique_fd file = new_fd::open("/proc/sys/kernel/random/boot_id", O_RDONLY);
    char text[64];
    const auto length = uninterrupted([&] { return ::read(file.get(), text, sizeof text); });

    std::size_t digits = 0; // 32 of them, with hyphens in between
    for (ssize_t i = 0; i < length && digits < 2 * sizeof id; ++i) {
        if (const int value = hex_value(text[i]); value >= 0) {
            id[digits / 2] = static_cast<std::uint8_t>(id[digits / 2] << 4 | value);
            ++digits;
        }
    }
}

} // namespace sharedsock::detail
