// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "layout/layout.hpp"
#include "store/file_access.hpp"

#include <boost/interprocess/mapped_region.hpp>

#include <cstdint>
#include <string>

namespace sharedsock::detail {

/// Makes a file in a segment's directory, for those who may open the segment.
unique_fd make_file(int directory, const std::string& name, const file_access& whose, error_code& ec);

/// The memory of a new segment: of full size, with pages for the part before the record tables, so that a full file
/// system is an error here and not a SIGBUS later. `make_memory` makes it as the file "memory", `make_sealed_memory` as a
/// memfd whose size no process can change.
unique_fd make_memory(int directory, const segment_header& header, const segment_plan& plan, const file_access& whose,
                      error_code& ec);
unique_fd make_sealed_memory(const segment_header& header, const segment_plan& plan, const file_access& whose, error_code& ec);

/// Opens the file "memory", or a duplicate of a memfd, makes every check and copies the header out. Never blocks.
/// `std::errc::no_such_file_or_directory`: there is no such file.
unique_fd open_memory(int directory, segment_header& header, const file_access& whose, error_code& ec);
unique_fd open_sealed_memory(int memory, segment_header& header, const file_access& whose, error_code& ec);

/// Whether the file "memory" of a directory is the open file `memory`. An error: the kernel does not say.
bool is_memory_of(int directory, int memory, error_code& ec) noexcept;

/// `errc::address_space_full`: there is no room for it.
boost::interprocess::mapped_region map_memory(int memory, std::uint64_t size, error_code& ec);

} // namespace sharedsock::detail
