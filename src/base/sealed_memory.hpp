// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <cstddef>
#include <optional>
#include <span>

/// Bytes that travel in a descriptor: memfd_create(2), sealed so that no process can change it any more. The reader checks the
/// seals and the size first, and then reads the bytes that it has checked.
namespace sharedsock::detail::sealed_memory {

/// Memory with `parts` one after another. An error of memfd_create(2), pwrite(2) or fcntl(2). `name`: for people, in proc(5).
unique_fd make(const char* name, std::span<const std::span<const std::byte>> parts, error_code& ec) noexcept;

/// The size in bytes; nothing if the descriptor is something else, or memory that a process could still change. Reading that could
/// hang, raise a signal, or give other bytes than were checked. An error of fstat(2): nothing is known about the descriptor.
std::optional<std::size_t> size_of(int descriptor, error_code& ec) noexcept;

/// Fills `into` from `offset` on. `std::errc::bad_message`: the memory ends before. Else an error of pread(2).
void read(int descriptor, std::size_t offset, std::span<std::byte> into, error_code& ec) noexcept;

} // namespace sharedsock::detail::sealed_memory
