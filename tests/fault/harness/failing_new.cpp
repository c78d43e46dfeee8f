// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/failing_new.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <utility>

#include <pthread.h>
#include <sys/mman.h>

namespace test {
namespace {

thread_local bool counting     = false;
thread_local std::size_t count = 0;
thread_local std::size_t due   = 0;

bool in_child             = false;
std::size_t due_in_child  = 0;
std::size_t* child_counts = nullptr; // in memory that is shared with the child

bool is_due() noexcept
{
    if (!counting) return false;
    ++count;
    if (in_child) *child_counts = count;
    return count == due;
}

// Registered first, so it runs before the library's handler.
const int handler = ::pthread_atfork(nullptr, nullptr, [] {
    if (!in_child) return;
    count    = 0;
    due      = due_in_child;
    counting = true;
});

void* allocate(std::size_t size, std::size_t alignment) noexcept
{
    if (is_due()) return nullptr;
    size = std::max<std::size_t>(size, 1);
    if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment)
{
    void* const memory = allocate(size, alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

} // namespace

void fail_allocation(std::size_t nth)
{
    count    = 0;
    due      = nth;
    counting = true;
}

void fail_allocation_in_child(std::size_t nth)
{
    constexpr int how  = MAP_SHARED | MAP_ANONYMOUS;
    void* const memory = ::mmap(nullptr, sizeof *child_counts, PROT_READ | PROT_WRITE, how, -1, 0);
    if (memory == MAP_FAILED || handler != 0) throw std::runtime_error("nothing to count in");
    child_counts = static_cast<std::size_t*>(memory);
    due_in_child = nth;
    in_child     = true;
}

std::size_t allocations() noexcept
{
    counting = false;
    return std::exchange(in_child, false) ? *child_counts : count;
}

} // namespace test

void* operator new(std::size_t size) { return test::allocate_or_throw(size, 1); }
void* operator new[](std::size_t size) { return test::allocate_or_throw(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment)
{
    return test::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment)
{
    return test::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return test::allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return test::allocate(size, 1); }

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
