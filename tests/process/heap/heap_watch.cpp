// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/heap/heap_watch.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include <pthread.h>

namespace test::heap_watch {
namespace {

// Changed in a child only, where one thread runs.
bool counts = false;
calls counted;

void count_new() noexcept
{
    if (counts) ++counted.made;
}

void count_free(const void* memory) noexcept
{
    if (counts && memory != nullptr) ++counted.freed;
}

} // namespace

calls seen() noexcept { return counted; }

void end()
{
    if (::pthread_atfork(nullptr, nullptr, [] { counts = false; }) != 0) throw std::bad_alloc();
}

} // namespace test::heap_watch

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHAREDSOCK_SANITIZER_HAS_THE_HEAP
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHAREDSOCK_SANITIZER_HAS_THE_HEAP
#endif

#ifdef SHAREDSOCK_SANITIZER_HAS_THE_HEAP

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*made)(const volatile void*, std::size_t),
                                                         void (*freed)(const volatile void*));

namespace test::heap_watch {

void begin()
{
    const auto made  = [](const volatile void*, std::size_t) { count_new(); };
    const auto freed = [](const volatile void* memory) { count_free(const_cast<const void*>(memory)); };
    if (__sanitizer_install_malloc_and_free_hooks(made, freed) == 0) throw std::runtime_error("the sanitizer has no more hooks");
    if (::pthread_atfork(nullptr, nullptr, [] { counted = {}, counts = true; }) != 0) throw std::bad_alloc();
}

} // namespace test::heap_watch

#else

namespace test::heap_watch {

void begin()
{
    if (::pthread_atfork(nullptr, nullptr, [] { counted = {}, counts = true; }) != 0) throw std::bad_alloc();
}

} // namespace test::heap_watch

#ifdef __GLIBC__ // operator new calls these

using test::heap_watch::count_free;
using test::heap_watch::count_new;

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) noexcept
{
    count_new();
    return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) noexcept
{
    count_new();
    return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) noexcept
{
    count_new();
    count_free(memory);
    return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept
{
    count_new();
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
    count_new();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept
{
    count_new();
    void* const made = __libc_memalign(alignment, size);
    if (made == nullptr) return ENOMEM;
    *memory = made;
    return 0;
}

void free(void* memory) noexcept
{
    count_free(memory);
    __libc_free(memory);
}
}

#else

namespace {

void* allocate(std::size_t size)
{
    test::heap_watch::count_new();
    void* const memory = std::malloc(size != 0 ? size : 1);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void deallocate(void* memory) noexcept
{
    test::heap_watch::count_free(memory);
    std::free(memory);
}

} // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { deallocate(memory); }
void operator delete[](void* memory) noexcept { deallocate(memory); }
void operator delete(void* memory, std::size_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, std::size_t) noexcept { deallocate(memory); }

#endif
#endif
