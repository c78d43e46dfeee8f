// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/load_table.hpp"

#include "base/file_growth.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <sharedsock/prefork/options.hpp>

#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace sharedsock::prefork::detail {
namespace {

using sharedsock::detail::fstat_call;
using sharedsock::detail::last_error;
using sharedsock::detail::sys;
namespace file_growth = sharedsock::detail::file_growth;
namespace new_fd      = sharedsock::detail::new_fd;

constexpr std::size_t size_bytes = most_workers * 64; // a page is used once one of its places is

} // namespace

load_table load_table::make(error_code& ec) noexcept
{
    ec.clear();
    load_table made;
    made.memory_ = new_fd::memory("sharedsock.prefork", MFD_ALLOW_SEALING);
    ec           = made.memory_ ? file_growth::resize(made.memory_.get(), size_bytes) : last_error(sys<"memfd_create">);
    if (!ec && ::fcntl(made.memory_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) // no process can take a page away
        ec = last_error(sys<"fcntl">);
    if (!ec) made.map(ec);
    return ec ? load_table() : std::move(made);
}

load_table load_table::open(unique_fd memory, error_code& ec) noexcept
{
    ec.clear();
    load_table opened;
    opened.memory_ = std::move(memory);
    struct stat about {};
    if (::fstat(opened.memory_.get(), &about) != 0)
        ec = last_error(fstat_call);
    else if (about.st_size != static_cast<off_t>(size_bytes) || !S_ISREG(about.st_mode))
        ec = make_error_code(boost::system::errc::invalid_argument);
    else
        opened.map(ec);
    return opened;
}

void load_table::map(error_code& ec) noexcept
{
    void* const memory = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    if (memory == MAP_FAILED)
        ec = last_error(sys<"mmap">);
    else
        lines_ = static_cast<line*>(memory);
}

load_table::load_table(load_table&& other) noexcept
    : memory_(std::move(other.memory_)), lines_(std::exchange(other.lines_, nullptr))
{}

load_table& load_table::operator=(load_table&& other) noexcept
{
    std::swap(memory_, other.memory_);
    std::swap(lines_, other.lines_);
    return *this;
}

load_table::~load_table()
{
    if (lines_ != nullptr) ::munmap(lines_, size_bytes);
}

} // namespace sharedsock::prefork::detail
