// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

/// The one place where the library makes a file larger or writes into one.
///
/// Beyond RLIMIT_FSIZE the kernel sends SIGXFSZ to the calling thread, and by default that ends the process. Here it never comes:
/// the limit is asked first, and the signal is blocked in this thread during the call, for a limit that another process sets in
/// between (prlimit(2)). If the call raised it all the same, it is taken again. The program's own use of SIGXFSZ, and one that was
/// pending before, stay as they are.
///
/// `errc::file_size_limited`: the limit is too low. `errc::directory_full`: the file system has no room. Threads: safe.
namespace sharedsock::detail::file_growth {

error_code resize(int file, std::uint64_t size) noexcept;                           ///< ftruncate(2)
error_code allocate(int file, std::uint64_t offset, std::uint64_t length) noexcept; ///< posix_fallocate(3) within the file's size
error_code write(int file, std::uint64_t offset, std::span<const std::byte> bytes) noexcept; ///< pwrite(2) of all bytes

} // namespace sharedsock::detail::file_growth
