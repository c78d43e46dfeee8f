// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"
#include "base/process_identity.hpp"
#include "ipc/carry.hpp"
#include "ipc/message.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// A handle record that waits for another process, and the number that makes its ticket unguessable.
struct offer {
    record_id handle;
    std::uint64_t nonce = 0;
};

/// A new nonce for an offer of this kind. An error: no random number can be had.
std::uint64_t new_nonce(mail_message::kind what, bool acknowledged, error_code& ec);
/// The message that offers `made`, a further hold on the socket of `of`, to `target`.
mail_message make_offer(mail_message::kind what, const handle& of, const membership& self, const offer& made,
                        process_id target) noexcept;

/// Offers a further hold on the socket of `of` to a process that is attached, and sends it the descriptor: as a ticket, or as a
/// hand-over with what is in `with`. `by_pid`: the ticket is for that process, whatever it executes, and `target` is its
/// attachment; this process then keeps the descriptor as well. `errc::target_gone`: that attachment has ended. On failure
/// nothing is left of the offer.
offer send_offer(handle& of, membership& self, mail_message::kind what, process_id target, const seen_process* by_pid,
                 const packed_carry* with, error_code& ec);
/// The same for a hand-over that is to be acknowledged; returns its record, which stays this process's until the target has taken
/// it.
record_id send_giving(handle& of, membership& self, process_id target, const packed_carry& with, error_code& ec);
/// Offers it to a process that is not attached: the descriptor stays with this process until it is redeemed.
offer keep_offer(handle& of, membership& self, const seen_process& target, error_code& ec);

} // namespace sharedsock::detail
