// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The bytes of a segment. Raise layout_version when a size, an offset or a meaning changes.
//
//   0                  segment_header               one page; its first 128 bytes never change after creation
//   4'096              process_record[processes]    128 bytes each: the attached processes
//   names_offset       name_record[names]           128 bytes each: published names
//   handle_map_offset  free map of the handles      one bit each: a hint where free records are
//   socket_map_offset  free map of the sockets      one bit each: a hint where free slots are
//   handles_offset     handle_record[handles]       64 bytes each: which process holds which socket; also live tickets
//   sockets_offset     socket_slot[sockets]         256 bytes each: the state of one socket
//
// The file has its full size from the start, but pages only up to the records that were ever in use: the two record tables
// grow page by page (`segment_file::back`). The parts before them have pages from the start.
//
// Rules of the format
//   - Fixed-width integers and offsets only; atomics are lock-free; no pointers, no process-specific values.
//   - Zero bytes are a valid, empty segment behind the header.
//   - The `life` word of a record alone decides to which process it belongs: one compare-and-swap takes it, one frees it. If a
//     process dies in between, its index stays in `life`, so the sweep finds it.
//   - Every index is checked against the private copy of the capacities before it is used.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sharedsock::detail {

// clang-format off
inline constexpr std::size_t cache_line = 64; // a fixed part of the format, whatever the compiler suggests
inline constexpr std::size_t page = 4096;

inline constexpr std::uint64_t segment_magic = 0x6b636f7364726873; // "shrdsock" in little-endian order
inline constexpr std::uint32_t endian_mark = 0x01020304;
inline constexpr std::uint32_t layout_version = 8;

inline constexpr std::uint32_t no_index = 0xffff'ffff;
inline constexpr std::uint32_t max_processes = 8'190; // 13 bits in the registration word, two of its values reserved
inline constexpr std::uint32_t max_sockets = 4'194'304;
inline constexpr std::uint32_t max_handles = 16'777'216;
inline constexpr std::uint32_t max_names = 16'384; // published names, which are searched one by one
inline constexpr std::uint32_t usual_names = 1'024; // at most that many if the options do not say
inline constexpr std::uint32_t name_size = 64; // of a published name with its final zero
inline constexpr std::uint32_t cookies_per_slot = 8; // entries of the index by cookie that a slot has room for: a cache line
inline constexpr std::uint32_t processes_per_liveness_file = 256; // a lock file's cost grows with the locks in it (measured)

using atomic_u32 = std::atomic<std::uint32_t>;
using atomic_u64 = std::atomic<std::uint64_t>;
using atomic_i32 = std::atomic<std::int32_t>;
static_assert(atomic_u32::is_always_lock_free && atomic_i32::is_always_lock_free && atomic_u64::is_always_lock_free,
              "a hidden lock would be process-local");

/// How large the tables are. Written once; every process checks it and keeps a private copy.
struct capacities {
    std::uint32_t processes;
    std::uint32_t names;
    std::uint32_t handles;
    std::uint32_t sockets;
};

struct segment_header {
    // Never changes after creation.
    std::uint64_t magic;         //   0
    std::uint32_t endian;        //   8
    std::uint32_t version;       //  12
    std::uint64_t layout_hash;   //  16  of every size and offset below; tells apart builds that disagree
    capacities capacity;         //  24
    std::uint64_t size_bytes;    //  40  of the whole file
    std::uint8_t uuid[16];       //  48
    std::uint8_t boot_id[16];    //  64  of the boot it was made under
    std::uint64_t created_ns;    //  80  CLOCK_REALTIME
    std::int32_t creator_pid;    //  88  for people
    std::uint32_t unnamed;       //  92  1: the memory has no name
    std::uint64_t pid_namespace; //  96  inode, for people
    std::uint8_t reserved1[24];  // 104

    // How many records of each table have pages. Only grow.
    alignas(cache_line) atomic_u32 handles_backed; // 128
    atomic_u32 sockets_backed;                     // 132
    atomic_u32 names_lock;                         // 136  robust lock of the name table
    atomic_u32 adoption_lock;                      // 140  robust lock: one process at a time adopts
    atomic_u32 cookies_missing;                    // 144  1: a socket found no place in the index by cookie
    std::uint32_t reserved2;                       // 148

    // Counts of events, for `sharedsock show`; no decision depends on them.
    alignas(cache_line) atomic_u64 sweeps; // 192  dead processes swept
    atomic_u64 owner_deaths;               // 200  locks whose holder was found dead
    atomic_u64 take_overs;                 // 208  registrations that cancelled another process's
    atomic_u64 fences_pending;             // 216  take-overs that returned before the old delivery had ended
    atomic_u64 damages;                    // 224  contradictions seen
    std::uint8_t reserved3[page - 232];
};
static_assert(std::is_standard_layout_v<segment_header> && sizeof(segment_header) == page);
static_assert(offsetof(segment_header, layout_hash) == 16 && offsetof(segment_header, capacity) == 24 &&
                  offsetof(segment_header, uuid) == 48 && offsetof(segment_header, handles_backed) == 128,
              "other builds read them there");

/// A process's membership. The index belongs to the process that holds the kernel's lock on its byte (`liveness_lock`); no word
/// here decides that. The record tells other processes which incarnation of the index it is.
struct alignas(cache_line) process_record {
    atomic_u64 life;            //  0  process_life: generation | unswept | used
    atomic_u32 load;            //  8
    atomic_u32 resync;          // 12  1: its bell was full or not to be reached, it must look at all its sockets
    atomic_i32 pid;             // 16  from here for people and logs, but `uid` and `pid_namespace`
    atomic_u32 uid;             // 20  its effective user when it last connected to another process, which lets it in by this
    std::uint64_t start_time;   // 24
    std::uint64_t pid_namespace;// 32
    std::uint64_t attached_ns;  // 40
    char name[16];              // 48
    // Where its sweep has to look (index_span).
    alignas(cache_line) atomic_u64 handles; // 64  handle records that may be its own
    atomic_u64 handles_in_sweep;// 72  those of them that a sweep has begun with, and perhaps not ended
    atomic_u64 locked_sockets;  // 80  sockets whose lock it may hold
    atomic_u32 bell;            // 88  1: it has a doorbell; where that cannot be reached, the common bell wakes it
    atomic_i32 box;             // 92  its descriptor of its mailbox's path, + 1; 0: none, ends or refuses; -1: could not be made
    std::uint8_t reserved[28];  // 96
    atomic_u32 worker;          // 124 worker_word: its part in a crew of workers, for people
};
static_assert(std::is_standard_layout_v<process_record> && sizeof(process_record) == 128);

/// A published name. Guarded by `names_lock`; it holds as long as the socket's generation does.
struct alignas(cache_line) name_record {
    std::uint32_t socket;            //  0
    std::uint32_t socket_generation; //  4  + 1; 0: free
    char name[name_size];            //  8
    std::uint8_t reserved[56];       // 72
};
static_assert(std::is_standard_layout_v<name_record> && sizeof(name_record) == 128);

/// One process's hold on one socket, or a ticket that waits for its target.
struct alignas(cache_line) handle_record {
    atomic_u64 life;                 //  0  handle_life: generation | process | state
    atomic_u32 socket;               //  8  the slot it is about; set before the slot is touched, so that the sweep finds it
    atomic_u32 socket_generation;    // 12
    atomic_u32 next;                 // 16  next handle of the same socket; guarded by the socket's lock
    atomic_u32 process_generation;   // 20  which incarnation of the process index
    atomic_u64 standby_order;        // 24  place in the standby queue; 0: does not stand by
    atomic_u32 standby_mask;         // 32  the events that it wants to own
    atomic_i32 descriptor;           // 36  its number in that process; for people, and for pidfd_getfd(2)
    atomic_u64 nonce;                // 40  of a ticket or a hand-over
    atomic_u32 source;               // 48  offer_source: which process made the ticket or the hand-over
    atomic_i32 target_pid;           // 52  of a ticket by pid: the pid, as the target sees it; 0: the target was named by its id
    atomic_u64 target;               // 56  of a ticket by pid: process_identity::stamp; else the target's id
};
static_assert(std::is_standard_layout_v<handle_record> && sizeof(handle_record) == 64);

/// The canonical state of one shared socket.
struct alignas(cache_line) socket_slot {
    // The hot line: the words that the data path and the event path read.
    atomic_u64 life;             //  0  slot_life: generation | builder | state
    atomic_u64 registration;     //  8  registration_word: epoch | owner | delivering | by turn | mask | armed
    atomic_u64 record;           // 16  event_record: epoch | recorded events | their errors
    atomic_u32 flags;            // 24  slot_flag bits
    atomic_u32 terminal_error;   // 28  errno that ended the connection; 0: none (STATE-9)
    atomic_u32 pending_error;    // 32  errno that SO_ERROR has yet to return (STATE-8)
    atomic_u32 connect_state;    // 36  connect_word of the latest attempt (STATE-5, EVT-16)
    atomic_u32 urgent;           // 40  0x100 | byte: urgent data saved from a plain receive (EVT-14)
    atomic_u32 standby_count;    // 44  a hint: 0 means that no handle stands by
    atomic_u64 registered_ns;    // 48  CLOCK_REALTIME of the registration whose epoch `details` carries
    atomic_u64 details;          // 56  registration_details: epoch | kind | high mask bits | handle

    // The cold part. The lock guards the list of handles and the life of the slot; nothing of the event path needs it.
    alignas(cache_line) atomic_u32 lock; // 64  robust lock
    atomic_u32 first_handle;     // 68  index + 1 of the first handle_record; 0: none
    atomic_u64 standby_counter;  // 72  the last place in the standby queue that was given
    std::uint64_t cookie;        // 80  SO_COOKIE; every received descriptor is checked against it
    std::int32_t family;         // 88
    std::int32_t type;           // 92
    std::int32_t protocol;       // 96
    std::uint32_t reserved1;     // 100
    std::uint64_t created_ns;    // 104 CLOCK_REALTIME
    atomic_u64 handles;          // 112 index_span: where a repair of the list has to look
    atomic_u32 routing_requests; // 120 change_word: open requests to tell of a change of routes (EVT-25)
    atomic_u32 address_requests; // 124 change_word: open requests to tell of a change of addresses (EVT-25)
    atomic_u32 holder_changes;   // 128 +1 for each handle that begins: processes that watch for deaths of holders look again
    atomic_u32 peer_end;         // 132 end_mark: a receive has returned the peer's orderly end; it stays the truth (STATE-9)
    atomic_u32 own_end;          // 136 end_mark: this side has ended its own sending
    atomic_u32 asked_use;        // 140 address_use bits: how Winsock programs want the address used; 0: none has said
    atomic_u64 asked[4];         // 144 asked:32 | the kernel's answer:32 of SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVBUF, SO_SNDBUF (WSK-4)
    std::uint8_t reserved[16];   // 176

    // A part of the index by cookie, and nothing of this socket: see cookie_index.
    alignas(cache_line) atomic_u64 cookies[cookies_per_slot]; // 192 generation:32 | index + 1:32 of a slot; 0: none
};
static_assert(std::is_standard_layout_v<socket_slot> && sizeof(socket_slot) == 256);
static_assert(offsetof(socket_slot, lock) == 64 && offsetof(socket_slot, cookie) == 80 && offsetof(socket_slot, cookies) == 192);
// clang-format on

/// Where the tables lie, computed from the capacities; never read from the segment.
struct segment_plan {
    capacities capacity;
    std::uint64_t names_offset;
    std::uint64_t handle_map_offset;
    std::uint64_t socket_map_offset;
    std::uint64_t handles_offset;
    std::uint64_t sockets_offset;
    std::uint64_t size_bytes;

    static constexpr std::uint64_t pages(std::uint64_t bytes) { return (bytes + page - 1) / page * page; }
    static constexpr std::uint64_t map_bytes(std::uint32_t records) // one bit a record, and one bit a full word of those
    {
        const std::uint64_t words = (records + 63u) / 64u;
        return (words + (words + 63u) / 64u) * sizeof(std::uint64_t);
    }

    static constexpr segment_plan of(const capacities& wanted)
    {
        segment_plan plan{};
        plan.capacity          = wanted;
        plan.names_offset      = page + pages(std::uint64_t{wanted.processes} * sizeof(process_record));
        plan.handle_map_offset = plan.names_offset + pages(std::uint64_t{wanted.names} * sizeof(name_record));
        plan.socket_map_offset = plan.handle_map_offset + pages(map_bytes(wanted.handles));
        plan.handles_offset    = plan.socket_map_offset + pages(map_bytes(wanted.sockets));
        plan.sockets_offset    = plan.handles_offset + pages(std::uint64_t{wanted.handles} * sizeof(handle_record));
        plan.size_bytes        = plan.sockets_offset + pages(std::uint64_t{wanted.sockets} * sizeof(socket_slot));
        return plan;
    }
};

/// FNV-1a over the bytes of `facts`.
template <std::size_t Count>
constexpr std::uint64_t hash_of(const std::uint64_t (&facts)[Count])
{
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    for (const std::uint64_t fact : facts)
        for (int byte = 0; byte < 8; ++byte)
            hash = (hash ^ (fact >> (8 * byte) & 0xff)) * 0x100'0000'01b3;
    return hash;
}

/// The hash of the sizes and offsets that two builds must agree on.
constexpr std::uint64_t compute_layout_hash()
{
    const std::uint64_t facts[] = {
        sizeof(segment_header),
        sizeof(process_record),
        sizeof(name_record),
        sizeof(handle_record),
        sizeof(socket_slot),
        offsetof(process_record, life),
        offsetof(process_record, resync),
        offsetof(process_record, name),
        offsetof(process_record, handles),
        offsetof(process_record, locked_sockets),
        offsetof(process_record, bell),
        offsetof(process_record, box),
        offsetof(process_record, worker),
        offsetof(name_record, name),
        offsetof(handle_record, life),
        offsetof(handle_record, socket),
        offsetof(handle_record, next),
        offsetof(handle_record, standby_order),
        offsetof(handle_record, nonce),
        offsetof(handle_record, target),
        offsetof(socket_slot, life),
        offsetof(socket_slot, registration),
        offsetof(socket_slot, record),
        offsetof(socket_slot, flags),
        offsetof(socket_slot, lock),
        offsetof(socket_slot, first_handle),
        offsetof(socket_slot, cookie),
        offsetof(socket_slot, urgent),
        offsetof(socket_slot, handles),
        offsetof(socket_slot, routing_requests),
        offsetof(socket_slot, peer_end),
        offsetof(socket_slot, asked),
        offsetof(socket_slot, cookies),
        offsetof(segment_header, handles_backed),
        offsetof(segment_header, names_lock),
        offsetof(segment_header, adoption_lock),
        page,
        processes_per_liveness_file,
        layout_version,
    };
    return hash_of(facts);
}
inline constexpr std::uint64_t layout_hash = compute_layout_hash();

} // namespace sharedsock::detail
