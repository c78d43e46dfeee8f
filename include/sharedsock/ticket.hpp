// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sharedsock {

/// The value that lets one other process redeem a handle to a shared socket (DUP-2; Winsock's special WSAPROTOCOL_INFO).
///
/// Plain data of fixed size that any IPC may carry (DUP-5); copying it duplicates nothing. From the return of
/// `shared_socket::duplicate` until it is redeemed, revoked or its target dies, the ticket holds one reference to the
/// socket (DUP-6, DUP-8): the source may close its handle or die (not if the target is named by pid and is not attached, or
/// executes another program). Good for one redemption (DUP-4), by the process it was made for (DUP-3).
class ticket {
public:
    static constexpr std::size_t size = 64; ///< bytes of the binary form

    ticket() = default; ///< names nothing; redeeming it is `errc::ticket_malformed`

    /// The binary form. @post `from_bytes(to_bytes()) == *this`.
    std::array<std::byte, size> to_bytes() const noexcept;
    /// Reads the binary form. `errc::ticket_malformed` for any other size, a wrong check sum or another version.
    static ticket from_bytes(std::span<const std::byte> bytes, error_code& ec) noexcept;
    static ticket from_bytes(std::span<const std::byte> bytes);

    /// The text form: 128 hexadecimal digits (small messages), for argv, environment variables and files.
    std::string to_text() const;
    static ticket from_text(std::string_view text, error_code& ec) noexcept;
    static ticket from_text(std::string_view text);

    friend bool operator==(const ticket&, const ticket&) = default;

    // The content. Any process can read and forge these fields; redeeming checks each of them against the segment.
    std::array<std::uint8_t, 16> segment{}; ///< the segment's uuid
    std::uint32_t handle            = 0;    ///< index of the handle record that waits
    std::uint32_t handle_generation = 0;
    std::uint64_t nonce             = 0; ///< a random number: a ticket cannot be guessed
    process_id target;                   ///< none if it was made by `duplicate_for_pid`
    std::int32_t target_pid = 0;         ///< if `target` is none: the target's pid, as it sees it
};

/// A ticket that waits in this process's mailbox: `segment::waiting_tickets`.
struct waiting_ticket {
    ticket value;
    process_id source; ///< the process that made it
};

} // namespace sharedsock
