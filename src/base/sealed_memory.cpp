// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/sealed_memory.hpp"

#include "base/denied.hpp"
#include "base/file_growth.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <boost/system/errc.hpp>

#include <cstdint>

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
    unique_fd memory  = new_fd::memory(name, MFD_ALLOW_SEALING);
    ec                = memory ? error_code() : last_error(sys<"memfd_create">);
    std::uint64_t end = 0;
    for (const std::span<const std::byte> part : parts) {
        if (!ec) ec = file_growth::write(memory.get(), end, part);
        end += part.size();
    }
    if (!ec && ::fcntl(memory.get(), F_ADD_SEALS, all_seals) != 0) ec = last_error(sys<"fcntl">);
    return memory;
}

std::optional<std::size_t> size_of(int descriptor, error_code& ec) noexcept
{
    const int seals = ::fcntl(descriptor, F_GET_SEALS); // -1 if it is no memory: a pipe, a device, a file
    ec              = if_denied(sys<"fcntl">, seals);
    struct stat about {};
    if (ec || seals == -1 || (seals & all_seals) != all_seals) return {};
    if (::fstat(descriptor, &about) != 0) {
        ec = last_error(fstat_call);
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
            ec = got < 0 ? last_error(sys<"pread64">) : make_error_code(boost::system::errc::bad_message);
        }
    }
}

} // namespace sharedsock::detail::sealed_memory
