// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/sealed_memory.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <boost/system/errc.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::detail::sealed_memory {
namespace {

constexpr int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

} // namespace

unique_fd make(const char* name, std::span<const std::span<const std::byte>> parts, error_code& ec) noexcept
{
    ec.clear();
    unique_fd memory = new_fd::memory(name, MFD_ALLOW_SEALING);
    if (!memory) ec = last_error();
    off_t end = 0;
    for (std::span<const std::byte> rest : parts)
        while (!ec && !rest.empty()) {
            const ssize_t written = uninterrupted([&] { return ::pwrite(memory.get(), rest.data(), rest.size(), end); });
            if (written < 0) {
                ec = last_error();
            } else {
                end += written;
                rest = rest.subspan(static_cast<std::size_t>(written));
            }
        }
    if (!ec && ::fcntl(memory.get(), F_ADD_SEALS, all_seals) != 0) ec = last_error();
    return memory;
}

std::optional<std::size_t> size_of(int descriptor, error_code& ec) noexcept
{
    ec.clear();
    const int seals = ::fcntl(descriptor, F_GET_SEALS); // -1 if it is no memory: a pipe, a device, a file
    struct stat about {};
    if (seals == -1 || (seals & all_seals) != all_seals) return {};
    if (::fstat(descriptor, &about) != 0) {
        ec = last_error();
        return {};
    }
    return static_cast<std::size_t>(about.st_size);
}

void read(int descriptor, std::size_t offset, std::span<std::byte> into, error_code& ec) noexcept
{
    ec.clear();
    while (!ec && !into.empty()) {
        const ssize_t got =
            uninterrupted([&] { return ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset)); });
        if (got > 0) {
            offset += static_cast<std::size_t>(got);
            into = into.subspan(static_cast<std::size_t>(got));
        } else {
            ec = got < 0 ? last_error() : make_error_code(boost::system::errc::bad_message);
        }
    }
}

} // namespace sharedsock::detail::sealed_memory
