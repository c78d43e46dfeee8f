// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"
#include "ipc/message.hpp"

#include <sharedsock/hand_over.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// A new nonce for an offer of this kind. An error: no random number can be had.
std::uint64_t new_nonce(mail_message::kind what, error_code& ec);
/// The message that offers `record`, a further hold on the socket of `of`, to `target`: as a ticket or a hand-over.
mail_message make_offer(mail_message::kind what, const handle& of, const membership& self, record_id record, std::uint64_t nonce,
                        process_id target) noexcept;

/// The work of `sharedsock::hand_over`, for a caller that keeps the handle alive in another way. On success `handed` has ended.
void hand_over(handle& handed, process_id target, const carry& with, error_code& ec);

} // namespace sharedsock::detail
