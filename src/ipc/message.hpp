// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "ipc/carry.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace sharedsock::detail {

/// The text of one mailbox message. Fixed size, save for the carry that follows in a hand-over. The receiver checks each field and
/// trusts none.
struct mail_message {
    static constexpr std::uint32_t magic_value = 0x6c747472;
    enum class kind : std::uint32_t {
        offer     = 1, ///< a ticket's descriptor: keep it for `redeem`
        request   = 2, ///< the sender asks for a descriptor of `socket`
        grant     = 3, ///< the answer to a request, with the descriptor
        hand_over = 4, ///< a socket for good, with its carry: keep it for `receive_hand_over`
    };
    std::uint32_t magic               = magic_value;
    kind what                         = kind::offer;
    std::uint32_t handle              = 0; ///< index of the handle record (offer, hand-over)
    std::uint32_t handle_generation   = 0;
    std::uint32_t socket              = 0; ///< index of the slot
    std::uint32_t socket_generation   = 0;
    std::uint64_t nonce               = 0; ///< of the ticket, or of the request
    std::uint64_t cookie              = 0; ///< SO_COOKIE of the descriptor that comes along
    std::uint32_t sender              = 0; ///< process index and generation
    std::uint32_t sender_generation   = 0;
    std::uint32_t receiver            = 0; ///< the incarnation that the message is for: a later one of the index drops it
    std::uint32_t receiver_generation = 0;
};
static_assert(sizeof(mail_message) == 56);

/// An offer's nonce is even if it is a ticket's and odd if it is a hand-over's: a process cannot pass a ticket that it has seen for
/// a hand-over.
constexpr bool is_nonce_of(mail_message::kind what, std::uint64_t nonce) noexcept
{
    return nonce != 0 && (nonce % 2 == 0) == (what == mail_message::kind::offer);
}

/// Whether the sender of a hand-over keeps the socket until the target has taken it; its nonce says so.
constexpr bool is_acknowledged(std::uint64_t nonce) noexcept { return nonce % 4 == 3; }

/// A message that has arrived, with its descriptor (which is the right socket: SO_COOKIE was compared with the message's). That of
/// a hand-over may be missing: it was another socket's, and the receiver of the hand-over reports that.
struct delivered_message {
    mail_message text;
    unique_fd descriptor;
    delivered_carry carry; ///< of a hand-over
};

/// Sends `text`, with `descriptor` unless it is -1 and with `carry` if there is one, over a connected AF_UNIX SOCK_SEQPACKET
/// socket, without blocking. 0, or the errno of sendmsg(2).
int send_message(int connection, const mail_message& text, int descriptor, const packed_carry* carry = nullptr) noexcept;

/// The first message in the queue of a connection, where it still lies; this object owns copies of its descriptors.
struct peeked_message {
    static constexpr std::size_t descriptors_shown = 8; // more than one, to tell a message with two from a full table

    explicit peeked_message(int connection) noexcept; ///< one recvmsg(2); does not block

    /// Takes the message off the queue, from which the kernel then drops its own copies of the descriptors. An error: it still lies
    /// there.
    error_code consume() noexcept;

    bool nothing() const noexcept { return error != 0; }          ///< no message, or a broken connection: see `error`
    bool end() const noexcept { return error == 0 && size == 0; } ///< of the connection; or a message of no bytes
    bool descriptor_left_behind() const noexcept;                 ///< the descriptor table had no room for all of them
    bool acceptable() const noexcept;                             ///< well formed, with the one right socket where one is due
    delivered_message deliver();                                  ///< @pre `acceptable`
    error_code cannot_tell() const noexcept;                      ///< why the kernel does not say which socket came, if it does not

    int error    = 0; // errno of recvmsg(2)
    ssize_t size = 0;
    int flags    = 0;
    mail_message text;
    std::array<unique_fd, descriptors_shown> descriptors;
    std::size_t descriptor_count = 0;

private:
    void take_descriptors(const unsigned char* numbers, std::size_t bytes) noexcept;
    bool is_the_right_socket() const noexcept;
    bool is_hand_over() const noexcept;

    const int connection_;
    carry_label label_{};
    std::array<std::byte, carry_in_message> room_; // of which `size` says how much was written
};

} // namespace sharedsock::detail
