// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "store/segment_header.hpp"

#include <sharedsock/segment.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sharedsock::detail {

/// The files of one segment, and its memory in this process.
///
/// A segment is a private directory (mode 0700), `<directory>/sharedsock.<uid>.<name>`:
///
///     memory          the bytes of layout.hpp (absent for an unnamed segment, whose bytes are a sealed memfd)
///     life.0 …        lock files (liveness_lock)
///     bell.<index>    doorbells (FIFOs, doorbell), made when first needed
///     box.<index>     mailboxes (sockets, mailbox)
///
/// It is built as `<directory>/.sharedsock.<uid>.<random>` and renamed into place in one step, so no process ever sees half of
/// one; a creator that dies leaves such a nameless directory, which the next creator removes (segment_directory). An unnamed
/// segment's directory is called `sharedsock.<uid>.@<uuid in hex>`; it is removed at the last orderly detach.
///
/// Opening checks, in this order, before anything is locked or written: the directory (a directory, this user's, 0700), the file
/// (regular, this user's, no access for others, O_NOFOLLOW), its size, magic, byte order, version and hash, capacities, that the
/// size is the one computed from the capacities and the file's own, the boot id. The header is copied out once; the
/// capacities are never read from the segment again.
class segment_file {
public:
    /// Replaces an entry of that name only if it is left over from an earlier boot, or has no memory, and no process holds a
    /// byte in it; else `segment_exists`. After creating or opening, a process takes its byte (liveness_lock) and then asks
    /// `still_named`: if the answer is no, it was too late, and begins again.
    static std::unique_ptr<segment_file> create(std::string_view name, const segment_options& options, error_code& ec);
    static std::unique_ptr<segment_file> open(std::string_view name, const segment_options& options, error_code& ec);
    static std::unique_ptr<segment_file> create_unnamed(const segment_options& options, error_code& ec);
    static std::unique_ptr<segment_file> open_unnamed(int memory, const segment_options& options, error_code& ec);

    /// Removes the directory of a segment with all in it; false if there is none. Never follows a link, never enters a
    /// directory of another user. Without `force`, `segment_in_use` if any process, this one included, holds a byte in it.
    /// Takes "@<uuid>" too, for an unnamed segment that a crash has left.
    static bool remove(std::string_view name, const segment_options& options, bool force, error_code& ec);

    /// The names of this user's segments below `directory`, unnamed ones as "@<uuid>"; for the command.
    static std::vector<std::string> list(const std::string& directory, error_code& ec);

    virtual ~segment_file() = default; ///< unmaps and closes

    virtual std::byte* base() const noexcept          = 0;
    virtual const segment_plan& plan() const noexcept = 0;
    virtual const std::string& name() const noexcept  = 0; ///< empty if unnamed
    virtual int directory() const noexcept            = 0; ///< O_DIRECTORY descriptor of the segment's directory
    virtual int memory() const noexcept               = 0; ///< descriptor of the memory

    /// Makes pages for the records of a table up to and including `record` (posix_fallocate, an extent of 64 KiB or more at
    /// a time), and raises `backed` accordingly. Concurrent callers are harmless. `no_space_on_device` when the file system
    /// is full: nothing changed. @pre `record < record_count`.
    virtual void back(std::uint64_t table_offset, std::uint32_t record_size, std::uint32_t record_count, std::uint32_t record,
                      atomic_u32& backed, error_code& ec) noexcept = 0;

    /// Whether the name still leads to this very memory (it may have been removed or made anew). Waits (bounded) for a
    /// `remove` that is under way: no `remove` overlooks a process that has its byte when this says yes. An error: the
    /// kernel does not say.
    virtual bool still_named(error_code& ec) const noexcept = 0;

    /// Whether the descriptors still refer to the files that were opened; three fstat(2). After a doubt, vouches for those that do.
    virtual bool prove() noexcept = 0;

    /// Removes the directory of an unnamed segment if no process holds a byte in it; does nothing for a named one.
    virtual void remove_if_unnamed() noexcept = 0;
};

} // namespace sharedsock::detail
