// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/descriptor_proof.hpp"
#include "base/unique_fd.hpp"
#include "store/segment_directory.hpp"
#include "store/segment_header.hpp"

#include <sharedsock/segment.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sharedsock::detail {

/// The files of one segment, and its memory in this process.
///
/// A segment is a directory, `<directory>/sharedsock.<uid of the owner>.<name>`, that only those may enter who may attach
/// (file_access):
///
///     memory          the bytes of layout.hpp (absent for an unnamed segment, whose bytes are a sealed memfd)
///     life.0 …        lock files (liveness_lock)
///     bell.all        the common bell (a FIFO, doorbells)
///     ways/           a directory that is open to those who have its descriptor:
///       bell.<index>    doorbells (FIFOs, doorbells), made when first needed
///       box.<index>     mailboxes (sockets, mailbox)
///
/// It is built as `<directory>/.sharedsock.<uid>.<random>` and renamed into place in one step, so no process ever sees half of
/// one; a creator that dies leaves such a nameless directory, which the next creator removes (segment_directory). An unnamed
/// segment's directory is called `sharedsock.<uid>.@<uuid in hex>`; it is removed at the last orderly detach, or by the next
/// creator of an unnamed segment.
///
/// Opening checks, in this order, before anything is locked or written: the directory and the file (of the right kind, owner, group
/// and mode; no link is followed), its size, magic, byte order, version and hash, capacities, that the size is the one computed
/// from the capacities and the file's own, the boot id. The header is copied out once; the capacities are never read from the
/// segment again.
class segment_file {
public:
    /// Replaces an entry of that name only if it is left over from an earlier boot, or has no memory, and no process holds a
    /// byte in it; else `segment_exists`. After creating or opening, a process takes its byte (liveness_lock) and then asks
    /// `still_named`: if the answer is no, it was too late, and begins again.
    static std::unique_ptr<segment_file> create(std::string_view name, const segment_options& options, error_code& ec);
    static std::unique_ptr<segment_file> open(std::string_view name, const segment_options& options, error_code& ec);
    static std::unique_ptr<segment_file> create_unnamed(const segment_options& options, error_code& ec);
    static std::unique_ptr<segment_file> open_unnamed(int memory, const segment_options& options, error_code& ec);

    /// Takes a segment's name away, and its directory with all in it; false if there is none. Never follows a link, never enters a
    /// directory of another user. If any process, this one included, holds a byte in it: `segment_in_use` without `force`; with it
    /// the directory stays under a temporary name until that process ends.
    /// Takes "@<uuid>" too, for an unnamed segment that a crash has left.
    static bool remove(std::string_view name, const segment_options& options, bool force, error_code& ec);

    /// The names of the owner's segments below `options.directory`, unnamed ones as "@<uuid>"; for the command.
    static std::vector<std::string> list(const segment_options& options, error_code& ec);

    segment_file(const segment_file&)            = delete;
    segment_file& operator=(const segment_file&) = delete;

    std::byte* base() const noexcept { return static_cast<std::byte*>(region_.get_address()); }
    const segment_plan& plan() const noexcept { return plan_; }
    const std::string& name() const noexcept { return name_; }  ///< empty if unnamed
    int directory() const noexcept { return directory_.get(); } ///< O_DIRECTORY descriptor of the segment's directory
    int ways() const noexcept { return ways_.get(); }           ///< and of `ways` in it
    int memory() const noexcept { return memory_.get(); }       ///< descriptor of the memory
    const file_access& whose() const noexcept { return place_->whose(); }

    /// Makes pages for the records of a table up to and including `record` (posix_fallocate, an extent of 64 KiB or more at
    /// a time), and raises `backed` accordingly. Concurrent callers are harmless. `no_space_on_device` when the file system
    /// is full: nothing changed. @pre `record < record_count`.
    void back(std::uint64_t table_offset, std::uint32_t record_size, std::uint32_t record_count, std::uint32_t record,
              atomic_u32& backed, error_code& ec) noexcept;

    /// Whether the name still leads to this very memory (it may have been removed or made anew). Waits (bounded) for a
    /// `remove` that is under way: no `remove` overlooks a process that has its byte when this says yes. An error: the
    /// kernel does not say.
    bool still_named(error_code& ec) const noexcept;

    /// Whether the descriptors still refer to the files that were opened; four fstat(2). After a doubt, vouches for those that do.
    bool prove() noexcept;

    /// Removes the directory if no process holds a byte in it and no other process can come to it: that of an unnamed segment, or
    /// of one whose name was removed.
    void remove_if_nameless() noexcept;

private:
    segment_file(std::shared_ptr<segment_directory> place, std::string_view name, unique_fd memory, const segment_header& header,
                 error_code& ec);
    static std::unique_ptr<segment_file> build(std::shared_ptr<segment_directory> place, std::string_view name,
                                               const segment_plan& plan, error_code& ec);
    static std::unique_ptr<segment_file> attach(std::shared_ptr<segment_directory> place, std::string_view name,
                                                unique_fd directory, unique_fd memory, const segment_header& header,
                                                const segment_options& options, error_code& ec);
    void enter(unique_fd directory, unique_fd ways) noexcept;

    const std::shared_ptr<segment_directory> place_;
    const bool unnamed_;
    const std::string name_;
    const std::string entry_;
    unique_fd directory_; // constant after `enter`, as is `ways_`
    file_mark directory_mark_;
    unique_fd ways_;
    file_mark ways_mark_;
    unique_fd memory_; // constant
    const file_mark memory_mark_;
    const segment_plan plan_;
    const boost::interprocess::mapped_region region_;
};

} // namespace sharedsock::detail
