// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "directory.hpp"

#include <new>
#include <system_error>

#include <sys/mman.h>

namespace handoff {
namespace {

void* share(std::size_t size)
{
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
    return memory;
}

} // namespace

directory::directory() : pids_(new (share(sizeof(table))) table{}) {}
directory::~directory() { ::munmap(pids_, sizeof(table)); }

} // namespace handoff
