// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/process_instance.hpp"

#include <new>

#include <sys/mman.h>

namespace sharedsock::detail {
namespace {

instance_number& instance_word()
{
    static auto* const word = [] {
        void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        ::madvise(memory, 4096, MADV_WIPEONFORK); // Linux 4.14
        return new (memory) instance_number(1);
    }();
    return *word;
}

std::uint64_t generation = 1; // +1 with every fork on the way to this process

} // namespace

const instance_number& make_instance_page()
{
    instance_page.store(&instance_word(), std::memory_order_release);
    return instance_word();
}

void begin_process_instance() noexcept { instance_word().store(++generation); }

} // namespace sharedsock::detail
