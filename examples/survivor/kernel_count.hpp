// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

namespace survivor {

/// How many bytes have ever been written to a TCP socket, by all processes together: the kernel knows. Counts from a number that
/// is the same for the whole life of a connection. Right while no process writes. Throws `std::system_error`.
/// @see tcpi_bytes_acked of tcp(7) (Linux 4.1); SIOCOUTQ.
std::uint64_t written_bytes(int descriptor);

} // namespace survivor
