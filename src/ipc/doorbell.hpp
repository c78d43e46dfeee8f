// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/descriptor_proof.hpp"
#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sys/types.h>

namespace sharedsock::detail {

/// Wakes other processes, and tells them about which socket: one FIFO for each process index, `bell.<index>`, of 4-byte slot
/// indexes. Every process opens it for reading and writing, so a ringer never blocks, fails or raises SIGPIPE when the owner
/// has died, and the ids that were rung survive the ringer. A FIFO, because a datagram socket holds 11 messages and a blocking
/// eventfd could hang the ringer (measured). The file belongs to the index, not to its incarnation: a new one empties it first.
///
/// The common bell wakes all processes at once. Each has opened it when it attached, so that it can be rung when the name of a
/// doorbell is gone, or when there is no descriptor left to open one with. No process reads it: an epoll that has it
/// edge-triggered reports every ring.
///
/// Threads: safe, except `hang`, `abandon` and destruction. No lock, so fork(2) at any moment leaves the child's copy
/// whole.
class doorbells {
public:
    /// `directory` must stay open as long as the object lives.
    doorbells(int directory, std::uint32_t processes);
    ~doorbells();
    doorbells(const doorbells&)            = delete;
    doorbells& operator=(const doorbells&) = delete;

    /// Opens the common bell, which lies in the segment's directory. `errc::paths_lost`: it has no name any more.
    void open_common(int directory, const char* name, error_code& ec);
    unique_fd& common() noexcept { return common_; }
    /// Wakes all processes.
    void ring_common() noexcept;

    /// Makes (or opens) and empties this process's doorbell. Idempotent. `errc::segment_damaged`: its name belongs to a file
    /// that is not a FIFO. If the directory was deleted, the process gets a doorbell that the common bell stands in for.
    void hang(std::uint32_t self, error_code& ec);
    /// The descriptor of this process's doorbell, readable when rung; -1 before `hang`.
    int native_handle() const noexcept { return own_.get(); }
    /// Takes the ids that were rung off this process's doorbell, without blocking; returns how many are in `ids` now. Other
    /// processes wrote them: check them. `no_index` among them: a process wrote half an id, so the others may be wrong; look at
    /// everything.
    std::size_t answer(std::span<std::uint32_t> ids) noexcept;

    enum class rung {
        yes,
        overflow, ///< the bell is full, and still wakes: have the owner look at everything
        nobody,   ///< it cannot be opened: its owner never made it, or its name is gone, or no descriptor is left
    };
    /// Rings the bell of process `index` for slot `id`. Never blocks, never fails the caller. Keeps the descriptor for
    /// the next time: one write(2). With a full descriptor table it opens the bell for this one time, in the place
    /// of a spare descriptor.
    rung ring(std::uint32_t index, std::uint32_t id) noexcept;

    /// At the end: closes the kept descriptors that still are bells, lets go of the files that other code has put in their places,
    /// and tells whether there was none of these. This process's doorbell stays open if it still is that. @pre the descriptor
    /// of the directory still is the segment's
    bool prove() noexcept;

    /// After fork(2), in the child: forgets the parent's doorbell. The kept descriptors of other doorbells stay good.
    void abandon() noexcept;

private:
    int open_kept(std::uint32_t index, error_code& ec) noexcept;
    rung ring_once(std::uint32_t index, std::uint32_t id) noexcept;
    void keep_spare(int of) noexcept;

    bool prove_bell(unique_fd& bell, dev_t device) const noexcept;

    const int directory_;
    unique_fd common_; // constant once it is open
    file_mark common_mark_;
    unique_fd own_;
    bool has_no_name_ = false;                                   // own_ is a pipe in the place of a doorbell
    std::atomic<std::uint64_t> own_way_{unique_fd::parked_none}; // own index and number, for the ring of another thread
    // Both hold parked descriptors (unique_fd).
    std::atomic<std::uint64_t> spare_{unique_fd::parked_none}; // taken by exchange
    std::vector<std::atomic<std::uint64_t>> others_;           // by process index; closed by the destructor alone
    const std::uint32_t doubts_;                               // descriptor_claims::doubts() when they were known to be good
};

} // namespace sharedsock::detail
