// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The compiled Asio part and the files that use it have to agree on Boost's version and on every switch of Asio that changes a
// layout or a behaviour in Asio's own objects. This file makes a name of all that, SHAREDSOCK_ASIO_BUILD: `boost_108100` if no
// switch is set. The Asio part is in an inline namespace of that name, so a file that was compiled with anything else does not
// link, and the linker names the symbol at the end of this file, which says what to do. docs/deployment.md, "Compilers and Boost
// versions".

#if defined(ASIO_DETAIL_CONFIG_HPP) && !defined(BOOST_ASIO_DETAIL_CONFIG_HPP)
#error                                                                                                                             \
    "sharedsock works with Boost.Asio, and this file includes the standalone Asio. Use boost::asio, or, if this file needs both, include <boost/asio.hpp> first."
#endif

#include <boost/asio/detail/config.hpp>
#include <boost/version.hpp>

#if BOOST_VERSION < 108100
#error "sharedsock needs Boost 1.81 or newer. Debian 12 has it in libboost1.81-dev."
#endif

// Asio's own reactor is known in Boost 1.81 to 1.92, and only where it is epoll. With any other the library waits through a reactor
// of its own on Asio's public interface. It costs more for each wait, and processes that accept in turn are woken together.
// SHAREDSOCK_ASIO_PUBLIC_REACTOR takes it everywhere; SHAREDSOCK_TRY_NEWER_BOOST takes Asio's own in a newer Boost, too.
#if !defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR) && (!defined(BOOST_ASIO_HAS_EPOLL) || defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT) ||  \
                                                 (BOOST_VERSION > 109200 && !defined(SHAREDSOCK_TRY_NEWER_BOOST)))
#define SHAREDSOCK_ASIO_PUBLIC_REACTOR 1
#endif
#if defined(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
#error "sharedsock needs Asio's standard executors. Leave BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT undefined."
#endif

// Each switch that is not as usual adds a word. They change the members of Asio's classes (handler tracking, exceptions, the sizes
// and number of recycled blocks), the operations of its mutexes and counters (threads), the way its services are found (typeid), or
// functions that exist once in a program (the descriptors that its reactor opens, buffers, recycled memory).
#if defined(BOOST_ASIO_CUSTOM_HANDLER_TRACKING)
#define SHAREDSOCK_ASIO_TRACKING _custom_handler_tracking
#elif defined(BOOST_ASIO_ENABLE_HANDLER_TRACKING)
#define SHAREDSOCK_ASIO_TRACKING _handler_tracking
#else
#define SHAREDSOCK_ASIO_TRACKING
#endif
#if defined(BOOST_ASIO_HAS_THREADS)
#define SHAREDSOCK_ASIO_THREADS
#else
#define SHAREDSOCK_ASIO_THREADS _without_threads
#endif
#if defined(BOOST_ASIO_HAS_EVENTFD)
#define SHAREDSOCK_ASIO_EVENTFD
#else
#define SHAREDSOCK_ASIO_EVENTFD _without_eventfd
#endif
#if defined(BOOST_ASIO_HAS_TIMERFD)
#define SHAREDSOCK_ASIO_TIMERFD
#else
#define SHAREDSOCK_ASIO_TIMERFD _without_timerfd
#endif
#if defined(BOOST_ASIO_HAS_IO_URING) // for files, beside epoll: the recycled blocks are larger
#define SHAREDSOCK_ASIO_IO_URING _io_uring
#else
#define SHAREDSOCK_ASIO_IO_URING
#endif
#if defined(BOOST_ASIO_HAS_FUTEX) || BOOST_VERSION < 109200
#define SHAREDSOCK_ASIO_FUTEX
#else
#define SHAREDSOCK_ASIO_FUTEX _without_futex
#endif
#if defined(BOOST_ASIO_ENABLE_VERSION_NAMESPACE)
#define SHAREDSOCK_ASIO_NAMESPACE _version_namespace
#else
#define SHAREDSOCK_ASIO_NAMESPACE
#endif
#if defined(BOOST_ASIO_NO_EXCEPTIONS)
#define SHAREDSOCK_ASIO_EXCEPTIONS _without_exceptions
#else
#define SHAREDSOCK_ASIO_EXCEPTIONS
#endif
#if defined(BOOST_ASIO_NO_TYPEID)
#define SHAREDSOCK_ASIO_TYPEID _without_typeid
#else
#define SHAREDSOCK_ASIO_TYPEID
#endif
#if defined(BOOST_ASIO_ENABLE_BUFFER_DEBUGGING) || (defined(_GLIBCXX_DEBUG) && !defined(BOOST_ASIO_DISABLE_BUFFER_DEBUGGING))
#define SHAREDSOCK_ASIO_BUFFERS _buffer_debugging
#else
#define SHAREDSOCK_ASIO_BUFFERS
#endif
#if defined(BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
#define SHAREDSOCK_ASIO_RECYCLING _without_recycling
#elif defined(BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE) && BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE != 2 // Asio sets it to 2
#define SHAREDSOCK_ASIO_RECYCLING                                                                                                  \
    SHAREDSOCK_PASTE(_recycling_, BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE, , , , , , , , , , , , ) // a plain number
#else
#define SHAREDSOCK_ASIO_RECYCLING
#endif

#if defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR)
#define SHAREDSOCK_ASIO_REACTOR _public_reactor
#else
#define SHAREDSOCK_ASIO_REACTOR
#endif

#define SHAREDSOCK_PASTE_NOW(a, b, c, d, e, f, g, h, i, j, k, l, m, n) a##b##c##d##e##f##g##h##i##j##k##l##m##n
#define SHAREDSOCK_PASTE(a, b, c, d, e, f, g, h, i, j, k, l, m, n) SHAREDSOCK_PASTE_NOW(a, b, c, d, e, f, g, h, i, j, k, l, m, n)

#define SHAREDSOCK_ASIO_BUILD                                                                                                      \
    SHAREDSOCK_PASTE(boost_, BOOST_VERSION, SHAREDSOCK_ASIO_TRACKING, SHAREDSOCK_ASIO_THREADS, SHAREDSOCK_ASIO_EVENTFD,            \
                     SHAREDSOCK_ASIO_TIMERFD, SHAREDSOCK_ASIO_IO_URING, SHAREDSOCK_ASIO_FUTEX, SHAREDSOCK_ASIO_NAMESPACE,          \
                     SHAREDSOCK_ASIO_EXCEPTIONS, SHAREDSOCK_ASIO_TYPEID, SHAREDSOCK_ASIO_BUFFERS, SHAREDSOCK_ASIO_RECYCLING,       \
                     SHAREDSOCK_ASIO_REACTOR)
#define SHAREDSOCK_ASIO_REMEDY                                                                                                     \
    SHAREDSOCK_PASTE(sharedsock_has_no_Asio_part_for__, SHAREDSOCK_ASIO_BUILD,                                                     \
                     __include_sharedsock_asio_src_hpp_in_one_source_file_of_this_program_or_build_sharedsock_like_it, , , , , , , \
                     , , , , )

extern "C" void SHAREDSOCK_ASIO_REMEDY() noexcept; // src/asio/build.cpp defines it; no caller

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// Refers to the symbol from every file that includes this one, whether or not it uses anything of the Asio part. Templates are
/// compiled in each of these files and kept once, so one of two files that disagree could lose all its other references. `retain`:
/// with --gc-sections, too. Not inline: the symbol would be unique in the process, and dlclose(3) would keep its plugin.
#if __has_cpp_attribute(gnu::retain)
[[gnu::used, gnu::retain]]
#else
[[gnu::used]]
#endif
static void (*const needed_build)() noexcept = &SHAREDSOCK_ASIO_REMEDY;

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
