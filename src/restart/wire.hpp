// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The bytes that two generations of a service say to each other. They may be built with different versions of the library, so this
/// format outlives each of them; it has nothing of the segment's layout. Pure: no system call.
///
/// A message is a head of 16 bytes and fields, all little-endian:
///
///     0  u32  magic        4  u16  kind          6  u16  1: the receiver must know this kind, else it skips the message
///     8  u32  bytes of the fields that follow   12  u32  reserved, 0
///     field: u16 id; u16 1: the receiver must know this id, else it skips the field; u32 bytes of the value; the value
///
/// The value of an id below `first_text` is a number of 8 bytes; else bytes of any length.
namespace sharedsock::restart::detail::wire {

inline constexpr std::uint32_t oldest_protocol = 1; ///< that this build speaks
inline constexpr std::uint32_t newest_protocol = 1;

inline constexpr std::size_t largest_message  = std::size_t{16} * 1024;
inline constexpr std::size_t carry_in_message = std::size_t{4} * 1024; ///< a longer carry goes in sealed memory beside the socket
inline constexpr std::size_t longest_text     = 512;                   ///< of a reason; it is cut there

enum class kind : std::uint16_t {
    hello     = 1,  ///< S: which protocols it speaks, and about itself
    welcome   = 2,  ///< P: the protocol chosen, about itself, how many listeners follow; with the verdict (eventfd)
    listener  = 3,  ///< P: one listener, with its descriptor
    refused   = 4,  ///< P: no upgrade now, and the reason
    ready     = 5,  ///< S: it accepts and takes connections from here on
    go        = 6,  ///< P: it gives from here on; with the lock file and the socket of the service
    gift      = 7,  ///< P: one connection, with its descriptor, and the memory of its carry if that is long
    taken     = 8,  ///< S: the connection of that number is S's
    declined  = 9,  ///< S: it is not, and the reason
    over      = 10, ///< P: it has given all
    serving   = 11, ///< S: it is the serving generation
    dismissed = 12, ///< P: the upgrade has failed, and the reason; S shall end
    leaving   = 13, ///< S: it gives up, and the reason
};

/// Why P refuses.
enum class refusal : std::uint64_t { other = 0, under_way = 1, protocol = 2, not_ready = 3 };

struct message {
    kind what = kind::hello;
    // Numbers; 0 is not sent.
    std::uint64_t number    = 0; ///< of the gift; of the generation; of the refusal
    std::uint64_t tag       = 0;
    std::uint64_t size      = 0; ///< of the carry, in bytes
    std::uint64_t in_memory = 0; ///< 1: the carry is in the second descriptor
    std::uint64_t pid       = 0;
    std::uint64_t oldest    = 0; ///< protocol
    std::uint64_t newest    = 0;
    std::uint64_t layout    = 0; ///< of segments; for people
    std::uint64_t count     = 0; ///< of listeners
    // Texts; an empty one is not sent.
    std::string text;             ///< a reason
    std::string name;             ///< of a listener
    std::string library;          ///< its version; for people
    std::vector<std::byte> bytes; ///< a carry, or the address that a listener was asked for

    friend bool operator==(const message&, const message&) = default;
};

enum class verdict : std::uint8_t {
    good,
    skipped,        ///< a kind that this build does not know and need not
    not_understood, ///< a kind or a field that this build would have to know
    malformed,      ///< no message of this format
};

struct decoded {
    verdict is = verdict::malformed;
    message text;
    std::size_t skipped_fields = 0;
};

std::vector<std::byte> encode(const message& one);
decoded decode(std::span<const std::byte> bytes);

/// How many descriptors go with the message.
std::size_t descriptors_of(const message& one) noexcept;

/// The newest protocol that both speak; nothing if there is none.
std::optional<std::uint32_t> common_protocol(std::uint64_t oldest, std::uint64_t newest) noexcept;

} // namespace sharedsock::restart::detail::wire
