// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/ticket.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sharedsock {

class shared_socket;

namespace detail {
class attachment;
}

/// How large a segment may become. Address space is reserved for all of it; memory is used as sockets come (512 bytes or
/// less each), so a generous capacity costs nothing.
struct segment_options {
    std::uint32_t sockets   = 4'096; ///< 1 to 4'194'304
    std::uint32_t processes = 256;   ///< attached at one time; 1 to 8'190
    std::uint32_t handles   = 0;     ///< handles and live tickets of all processes; 0: 2 for each socket and 4 for each process
    std::uint32_t names     = 0;     ///< published names, at most 16'384; 0: one for each socket, and 1'024 at most
    /// Where segments live: a tmpfs that all processes share. A service names a directory of its own, which systemd makes for it
    /// (RuntimeDirectory=) and no cleaner of temporary files empties.
    std::string directory = "/dev/shm";

    /// How long a call waits for a lock whose holder is stopped, or for another process that creates the segment.
    std::chrono::nanoseconds patience = std::chrono::seconds(1);

    /// Whether an existing segment must hold at least what these options ask for: else `errc::segment_too_small`. Not set, a
    /// process attaches to a segment of any capacity, and `segment::capacity` tells which.
    bool full_capacity = false;
    /// The user that the segment belongs to, by uid; none: the effective user of the calling process. Each user has names of its
    /// own, so a process that opens another user's segment has to name that user. To create a segment for another user takes
    /// CAP_CHOWN (`errc::ownership_denied`). Every file of an existing segment has to belong to this user
    /// (`errc::foreign_segment`).
    std::optional<std::uint32_t> owner = std::nullopt;
    /// A group whose processes may attach as well, by gid; none: the owner alone may attach. To create a segment for a group the
    /// creator has to be in it, or to have CAP_CHOWN. The files of an existing segment have to be open to exactly this group
    /// (`errc::foreign_segment`).
    ///
    /// A process passes this check once, when it attaches. It stays attached, and its forked children are attached as well, if it
    /// changes its user, its groups or its capabilities afterwards.
    std::optional<std::uint32_t> group = std::nullopt;
};

/// How much of a table of a segment is in use.
struct table_use {
    std::uint32_t used  = 0; ///< records of dead processes that were not swept yet included
    std::uint32_t total = 0;
};

/// How much a segment can hold, and how much of that is in use.
struct segment_capacity {
    table_use sockets;
    table_use processes;
    table_use handles; ///< and live tickets
    table_use names;   ///< published ones
};

/// This process's attachment to a segment: the named shared memory that holds the state of a group of sockets.
///
/// Copies are the same attachment. It ends (detaches) when the last copy and the last handle made through it are gone;
/// the death of the process detaches as well. Every attachment made by `create`, `open` or `open_or_create` is one of its own, with
/// a `process_id` of its own. A named segment stays until `remove`; an unnamed one goes with its last attachment.
///
/// If memory runs out, calls throw `std::bad_alloc` and have changed nothing; files that a call has removed stay removed.
///
/// @par fork(2)
/// The child is attached in its own right when fork returns: own `process_id`, a counted handle for each inherited one,
/// no registrations (DUP-17). A child made by a raw clone(2) is not attached: its calls fail with `errc::not_attached`.
/// @par Safety
/// Threads: safe. Processes: safe, also if any of them dies. Signal handlers: not callable.
class segment {
public:
    /// Makes a segment and attaches. `errc::segment_exists` if the name is taken by one that is in use or intact; use
    /// `open_or_create` to share it or `remove` to be rid of it. The limits of the process and of the directory have errors that
    /// name them: `errc::file_size_limited`, `errc::address_space_full`, `errc::directory_not_found`, `errc::directory_read_only`,
    /// `errc::directory_full`. `errc::access_denied`: this process may not write the directory. `errc::ownership_denied`: see
    /// `segment_options::owner`.
    static segment create(std::string_view name, const segment_options& options, error_code& ec);
    static segment create(std::string_view name, const segment_options& options = {});

    /// Attaches to an existing segment, whatever its capacity: see `capacity`, and `segment_options::full_capacity` to refuse one
    /// that is too small. `errc::segment_not_found`: create it first, or name its owner. `errc::access_denied`: this process's user
    /// and groups may not enter it. `errc::paths_lost`: some of its files are gone. Every other reason to refuse has its own
    /// `errc`; none of them touches the segment.
    static segment open(std::string_view name, const segment_options& options, error_code& ec);
    static segment open(std::string_view name, const segment_options& options = {});

    /// Attaches, and makes the segment first if there is none or only one left over from before the last boot. The capacities of
    /// `options` are those of a segment that this call makes. One that exists keeps its own, so that processes of two versions of a
    /// service can share it: `capacity` tells them, and with `segment_options::full_capacity` a segment that is too small is
    /// `errc::segment_too_small`.
    static segment open_or_create(std::string_view name, const segment_options& options, error_code& ec);
    static segment open_or_create(std::string_view name, const segment_options& options = {});

    /// Makes a segment without a name, in sealed anonymous memory: inherited by fork(2), or passed on by `memory_handle`. Removes
    /// the directories of the owner's unnamed segments whose processes have all died.
    static segment create_unnamed(const segment_options& options, error_code& ec);
    static segment create_unnamed(const segment_options& options = {});

    /// Attaches to an unnamed segment by the descriptor that another process passed on (`memory_handle`). The descriptor
    /// stays the caller's.
    static segment open_unnamed(int memory, const segment_options& options, error_code& ec);
    static segment open_unnamed(int memory, const segment_options& options = {});

    /// Removes the name; no other process can attach by it. If no process is attached the files go at once. Otherwise the call
    /// fails with `errc::segment_in_use`, or with `force` the attached processes go on, with all their ways to each other: the
    /// files stay under a hidden name, and go with the last attachment, or, if that process died, with the next segment that a
    /// process of the owner creates there. False if there was no such segment.
    static bool remove(std::string_view name, const segment_options& options, bool force, error_code& ec);
    static bool remove(std::string_view name, const segment_options& options = {}, bool force = false);

    segment() = default; ///< attached to nothing
    explicit operator bool() const noexcept { return attachment_ != nullptr; }

    const std::string& name() const;           ///< empty for an unnamed segment
    std::array<std::uint8_t, 16> uuid() const; ///< of this very segment; a new one under an old name has another
    process_id self() const;                   ///< this attachment; none after the segment was lost
    int memory_handle() const;                 ///< the descriptor of the memory; stays the library's

    /// How many sockets, processes, handles and names the segment can hold, and holds at this moment. All in use is 0 if this
    /// process is not attached any more. Makes no system call; takes no lock.
    segment_capacity capacity() const;

    std::vector<process_info> processes() const; ///< attached processes, dead ones that were not swept yet included

    /// The live attachments of the process that has this pid in this process's pid namespace, in the order of the table. It may
    /// live in a child of this pid namespace, where it has another pid too. There are several if it has attached several times:
    /// each has handles, tickets and a mailbox of its own. Throws `system_error` where a filter of system calls denies fcntl(2), by
    /// which the kernel is asked.
    std::vector<process_id> find_processes(std::int32_t pid) const;
    /// The live attachment of that process, if it has exactly one. Nothing if it has none or several: only that process can say
    /// which of several is meant (`self`). `shared_socket::duplicate_for_pid` does not need to know.
    std::optional<process_id> find_process(std::int32_t pid) const;

    bool alive(process_id who) const;  ///< judged by the kernel; costs a system call
    void set_load(std::uint32_t load); ///< any measure of how busy this process is; read by `processes`

    /// Puts `socket` under `name` (1 to 63 bytes), for processes that attach later. The name goes when the socket's last
    /// handle goes. `errc::name_taken` if another live socket has it.
    void publish(std::string_view name, const shared_socket& socket, error_code& ec);
    void publish(std::string_view name, const shared_socket& socket);
    bool unpublish(std::string_view name);
    std::vector<std::string> published() const;

    /// The tickets that wait for this process (DUP-2), redeemable in any order.
    std::vector<waiting_ticket> waiting_tickets();

    /// Withdraws a ticket that was not redeemed, in any attached process (DUP-8). False if it was used or dead already.
    /// `errc::ticket_foreign_segment`; `errc::ticket_malformed`: its target is not the one that it was made for.
    bool revoke(const ticket& value, error_code& ec);
    bool revoke(const ticket& value);

    /// Sweeps every process that the kernel knows to be dead; returns how many. Cheap when no process died. The library sweeps
    /// too on attach, when a table is full, when a lock or a fence waits in vain, and in a process that serves. Throws
    /// `system_error` where a filter of system calls denies fcntl(2), by which the kernel is asked.
    std::size_t sweep();

    // Serving: answering other processes' requests for descriptors, and noticing deaths. There is no hidden thread (G11):
    // a program that wants its sockets to be openable by name serves in its own loop, on Asio (`<sharedsock/asio.hpp>`),
    // or asks for a thread.

    /// Readable when `poll` has something to do. Throws `system_error` when descriptors or memory for it run out.
    int native_handle() const;
    /// Does that work, without blocking. An error concerns the mailbox: its messages stay there, and all other work has been done.
    /// `errc::mailbox_denied`: this process may not accept connections, so no ticket, hand-over or request can reach it.
    /// `std::errc::too_many_files_open` and other local shortages: make room, and call again.
    void poll(error_code& ec);
    void poll(); ///< As `poll(ec)`; throws `system_error`.
    /// Starts a thread that serves until the returned object is destroyed. All signals are blocked in it.
    [[nodiscard]] std::shared_ptr<void> serve_in_thread();

    const std::shared_ptr<detail::attachment>& attachment() const noexcept { return attachment_; } ///< for the library itself
    explicit segment(std::shared_ptr<detail::attachment> attached) noexcept : attachment_(std::move(attached)) {}

private:
    std::shared_ptr<detail::attachment> attachment_;
};

} // namespace sharedsock
