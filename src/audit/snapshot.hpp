// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "store/segment_file.hpp"
#include "tables/handle_table.hpp"
#include "tables/table_view.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/segment.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sharedsock::command {

/// The socket of a name record; nothing if the record is free.
inline detail::record_id published_socket(const detail::name_record& record) noexcept
{
    if (record.socket_generation == 0) {
        return {};
    }
    return {record.socket, record.socket_generation - 1};
}

/// A private copy of a segment's state, and which of its processes live. Taking it disturbs no process: it attaches, locks and
/// writes nothing. The tables' own functions work on it, with all their checks, as they do on the segment itself.
///
/// The bytes are read by pread(2): that makes no page where the file has none, and a file that is cut short meanwhile is an
/// error, not a SIGBUS. They are read again until nothing has changed since the last time, so they belong to one moment;
/// in a segment that never rests for so long they do not, and `steady` says so.
class snapshot {
public:
    /// The reasons to refuse are those of `segment::open`.
    static snapshot take(const std::string& name, const segment_options& options, error_code& ec);

    const detail::table_view& bytes() const noexcept { return bytes_; }
    const detail::segment_header& header() const noexcept { return *bytes_.header; }
    const detail::segment_plan& plan() const noexcept { return plan_; }

    bool alive(std::uint32_t process) const noexcept { return process < alive_.size() && alive_[process]; }
    bool in_use() const noexcept { return in_use_; } ///< a process is attached, or just attaching
    bool steady() const noexcept { return steady_; }
    std::uint64_t memory_bytes() const noexcept { return memory_bytes_; } ///< used by the segment's memory now

private:
    struct unmap {
        std::size_t size;
        void operator()(std::byte* memory) const noexcept;
    };

    bool refresh(int memory, error_code& ec);
    bool copy(int memory, std::uint64_t begin, std::uint64_t end, error_code& ec);

    detail::segment_plan plan_{};
    std::unique_ptr<std::byte, unmap> copy_; // has pages only where bytes were copied to
    detail::table_view bytes_;               // of the copy
    std::vector<bool> alive_;                // by process index; only those in use
    std::uint64_t memory_bytes_ = 0;
    bool in_use_                = false;
    bool steady_                = false;
};

} // namespace sharedsock::command
