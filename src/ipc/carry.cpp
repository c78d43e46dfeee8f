// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/carry.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

// No process can change sealed memory, so the bytes that are read are the ones that were checked.
constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

unique_fd seal(std::span<const std::byte> bytes, error_code& ec) noexcept
{
    unique_fd memory = new_fd::memory("sharedsock-carry", MFD_ALLOW_SEALING);
    if (!memory) ec = last_error();
    for (std::size_t done = 0; !ec && done < bytes.size();) {
        const ssize_t written = uninterrupted(
            [&] { return ::pwrite(memory.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done)); });
        if (written < 0)
            ec = last_error();
        else
            done += static_cast<std::size_t>(written);
    }
    if (!ec && ::fcntl(memory.get(), F_ADD_SEALS, seals) != 0) ec = last_error();
    return memory;
}

} // namespace

packed_carry pack(const carry& with, error_code& ec) noexcept
{
    ec.clear();
    packed_carry packed;
    packed.label.tag        = with.tag;
    packed.label.size_bytes = with.bytes.size();
    if (with.bytes.size() > max_carry) {
        ec = errc::carry_too_large;
    } else if (with.bytes.size() > carry_in_message) {
        packed.label.in_memory = 1;
        packed.memory          = seal(with.bytes, ec);
    } else {
        packed.in_message = with.bytes;
    }
    return packed;
}

std::vector<std::byte> unpack(delivered_carry& from, error_code& ec)
{
    ec.clear();
    if (from.label.in_memory == 0) return std::move(from.in_message);
    struct stat about {};
    const int found = ::fcntl(from.memory.get(), F_GET_SEALS); // -1 if it is no memory: a pipe, a device, a file
    const auto size = static_cast<std::size_t>(from.label.size_bytes);
    if (::fstat(from.memory.get(), &about) != 0) {
        ec = last_error();
        return {};
    }
    const bool sound = found != -1 && (found & seals) == seals && about.st_size == static_cast<off_t>(size) && size <= max_carry;
    if (!sound) {
        ec = errc::bad_hand_over;
        return {};
    }
    std::vector<std::byte> bytes(size);
    for (std::size_t done = 0; !ec && done < size;) {
        const ssize_t got =
            uninterrupted([&] { return ::pread(from.memory.get(), bytes.data() + done, size - done, static_cast<off_t>(done)); });
        if (got > 0)
            done += static_cast<std::size_t>(got);
        else
            ec = got < 0 ? last_error() : make_error_code(errc::bad_hand_over);
    }
    return bytes;
}

} // namespace sharedsock::detail
