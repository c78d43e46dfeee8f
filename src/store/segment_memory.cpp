// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/segment_memory.hpp"

#include "base/file_growth.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "store/segment_directory.hpp"
#include "store/segment_header.hpp"

#include <cerrno>
#include <cstddef>
#include <span>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr char memory_name[] = "memory";
constexpr int seals          = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// Gives the memory its full size, and pages (a place in a file system that may be full) to the part before the record tables.
void fill_memory(int memory, const segment_header& header, const segment_plan& plan, error_code& ec)
{
    ec = file_growth::resize(memory, plan.size_bytes);
    if (!ec) {
        ec = file_growth::allocate(memory, 0, plan.handles_offset);
    }
    if (!ec) {
        ec = file_growth::write(memory, 0, std::as_bytes(std::span(&header, 1)));
    }
}

bool sealed(int memory)
{
    const int present = ::fcntl(memory, F_GET_SEALS);
    return present >= 0 && (present & seals) == seals;
}

// Copies the header out, and checks it and the file.
void check_memory(int memory, segment_header& header, const file_access& whose, error_code& ec)
{
    struct stat status;
    if (::fstat(memory, &status) != 0) {
        ec = last_error(fstat_call);
        return;
    }
    ec = S_ISREG(status.st_mode) ? whose.check(status) : make_error_code(errc::not_a_segment);
    if (ec) {
        return;
    }
    if (::pread(memory, &header, sizeof header, 0) < 0) {
        ec = last_error(sys<"pread64">);
        return;
    }
    std::uint8_t boot_id[16];
    read_boot_id(boot_id);
    ec = check_header(header, static_cast<std::uint64_t>(status.st_size), boot_id);
}

// Boost.Interprocess maps this: a descriptor that this process has opened and checked; Boost's own classes would open by name.
class checked_memory {
public:
    explicit checked_memory(int file) noexcept : file_(file) {}
    boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept { return {file_, false}; }
    boost::interprocess::mode_t get_mode() const noexcept { return boost::interprocess::read_write; }

private:
    int file_;
};

} // namespace

unique_fd make_file(int directory, const std::string& name, const file_access& whose, error_code& ec)
{
    unique_fd file = new_fd::open_at(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    ec.clear();
    if (file) {
        whose.give(file.get(), whose.file_mode(), ec);
    } else {
        ec = entry_error(sys<"openat">);
    }
    return file;
}

unique_fd make_memory(int directory, const segment_header& header, const segment_plan& plan, const file_access& whose,
                      error_code& ec)
{
    unique_fd memory = make_file(directory, memory_name, whose, ec);
    if (!ec) {
        fill_memory(memory.get(), header, plan, ec);
    }
    return memory;
}

unique_fd make_sealed_memory(const segment_header& header, const segment_plan& plan, const file_access& whose, error_code& ec)
{
    unique_fd memory = new_fd::memory("sharedsock", MFD_ALLOW_SEALING);
    if (!memory) {
        ec = last_error(sys<"memfd_create">);
        return {};
    }
    whose.give(memory.get(), whose.file_mode(), ec);
    if (!ec) {
        fill_memory(memory.get(), header, plan, ec);
    }
    if (!ec && ::fcntl(memory.get(), F_ADD_SEALS, seals) != 0) {
        ec = last_error(sys<"fcntl">);
    }
    return memory;
}

unique_fd open_memory(int directory, segment_header& header, const file_access& whose, error_code& ec)
{
    unique_fd memory = new_fd::open_at(directory, memory_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    if (!memory) {
        const bool other_kind = errno == ELOOP || errno == EISDIR || errno == ENXIO; // a link, a directory, a socket
        ec                    = other_kind ? make_error_code(errc::not_a_segment) : last_error(sys<"openat">);
        return {};
    }
    check_memory(memory.get(), header, whose, ec);
    if (!ec && header.unnamed != 0) {
        ec = errc::not_a_segment;
    }
    return memory;
}

unique_fd open_sealed_memory(int memory, segment_header& header, const file_access& whose, error_code& ec)
{
    unique_fd own = new_fd::duplicate(memory);
    if (!own) {
        ec = last_error(sys<"fcntl">);
        return {};
    }
    check_memory(own.get(), header, whose, ec);
    if (!ec && (header.unnamed != 1 || !sealed(own.get()))) {
        ec = errc::not_a_segment;
    }
    return own;
}

bool is_memory_of(int directory, int memory, error_code& ec) noexcept { return is_name_of(directory, memory_name, memory, ec); }

boost::interprocess::mapped_region map_memory(int memory, std::uint64_t size, error_code& ec)
try {
    ec = {};
    return {checked_memory(memory), boost::interprocess::read_write, 0, size};
} catch (const boost::interprocess::interprocess_exception& failure) {
    const int error = failure.get_native_error();
    ec              = error == ENOMEM ? make_error_code(errc::address_space_full) : error_of(sys<"mmap">, error);
    return {};
}

} // namespace sharedsock::detail
